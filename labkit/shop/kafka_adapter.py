"""The Kafka adapter of a service: it reads the topic as a member of its consumer group.

Many events are in work at the same time; committed is only what has no unfinished event before it.
"""

import asyncio
import logging
import queue
import threading
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from labkit.base.errors import LabError
from labkit.brokers.kafka.commits import Commits
from labkit.brokers.kafka.dead_letters import DeadLetter, DeadLetterProducer
from labkit.brokers.kafka.topics import quiet
from labkit.chaos.faults import Refused
from labkit.events.event import Event, EventError
from labkit.shop.config import TRIES, Config
from labkit.shop.publish import RECONNECT
from labkit.shop.work import Work

_FIRST_WAIT_S = 0.02
_COMMIT_S = 0.03  # how long a commit may have to wait

_log = logging.getLogger(__name__)


class KafkaAdapter:
    """Runs in the service's event loop; one thread beside it waits for messages."""

    def __init__(self, config: Config, work: Work) -> None:
        self.config, self.work = config, work
        self.ready = False
        self._settings = quiet({**RECONNECT, **config.kafka})
        self._commits = Commits()
        self._done: queue.SimpleQueue[Done] = queue.SimpleQueue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._room = threading.Semaphore(4 * config.workers)  # events in this process, in work or waiting for it
        self._stop = threading.Event()
        self._dead = DeadLetterProducer(self._settings)

    def open(self) -> None:
        self._loop = asyncio.get_running_loop()
        settings: dict[str, Any] = {
            **self._settings,
            "group.id": self.config.queue,
            # A member with a name: after a kill and a restart it has its partitions back at once.
            "group.instance.id": self.config.queue,
            "auto.offset.reset": self.config.reset,
            "enable.auto.commit": False,
        }
        self._consumer = Consumer(settings)
        self._consumer.subscribe([self.config.topic], on_assign=self._assigned)
        threading.Thread(target=self._read, name="kafka", daemon=True).start()

    def close(self) -> None:
        self._stop.set()

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self.ready = True

    def _read(self) -> None:
        while not self._stop.is_set():
            self._commit()
            if not self._room.acquire(timeout=_COMMIT_S):
                continue
            message = self._consumer.poll(_COMMIT_S)
            error = message.error() if message is not None else None
            if message is None or error is not None:
                self._room.release()
                if error is not None:
                    _log.warning("kafka: %s", error.str())  # passing; librdkafka connects again by itself
            else:
                partition, offset = message.partition() or 0, message.offset() or 0
                self._commits.begin(partition, offset)
                self._loop.call_soon_threadsafe(self._take, message, partition, offset)

    def _commit(self) -> None:
        """Commit what is done. Here, and not where it is done: a commit from another thread waits for `poll` to end."""
        events: list[Done] = []
        while not self._done.empty():  # nobody else takes from it
            events.append(done := self._done.get())
            self._commits.finish(done.partition, done.offset)
        if not events or not (due := self._commits.due()):
            return
        places = [TopicPartition(self.config.topic, partition, offset) for partition, offset in due.items()]
        try:
            self._consumer.commit(offsets=places, asynchronous=True)
        except KafkaException as error:  # nothing is lost: what is not committed is read again
            _log.warning("kafka: not committed: %s", error)
            return
        for done in events:
            if done.event:
                self.work.acked(done.event, f"{self.config.topic}/{done.partition}", done.offset, "kafka")

    def _take(self, message: Message, partition: int, offset: int) -> None:
        task = self._loop.create_task(self._finish(message, partition, offset))
        self._tasks.add(task)  # or it could be collected as garbage, half done
        task.add_done_callback(self._tasks.discard)

    async def _finish(self, message: Message, partition: int, offset: int) -> None:
        """Handle one message until it is done or dead, then commit as far as everything is."""
        channel, raw = f"{self.config.topic}/{partition}", message.value()
        event: Event | None = None
        try:
            if raw is not None:  # else a tombstone: it says that the key is gone, and carries no event
                event = await self._handle(raw, channel, offset)
        except Exception as error:
            await self._dead_letter(message, f"{type(error).__name__}: {error}")
            self.work.dead_lettered(raw or b"", channel, offset, "kafka", str(error))
        self._room.release()
        self._done.put(Done(partition, offset, event))

    async def _handle(self, raw: bytes, channel: str, offset: int) -> Event:
        for attempt in range(1, TRIES + 1):
            try:
                return await self.work.do(raw, "kafka", attempt, channel, offset, "kafka")
            except EventError:
                raise  # poison: it will not get better
            except Exception as error:
                if attempt == TRIES:
                    raise
                if not isinstance(error, Refused):
                    _log.exception("kafka: try %d", attempt)
                await asyncio.sleep(_FIRST_WAIT_S * 2 ** min(attempt - 1, 5))
        raise AssertionError

    async def _dead_letter(self, message: Message, why: str) -> None:
        """Put the message with the dead letters. Returns only when the broker has it."""
        letter = DeadLetter.for_message(message, self.config.queue, why)
        _log.error("kafka: dead letter %s/%d@%d: %s", letter.topic, letter.partition, letter.offset, why)
        while not self._stop.is_set():
            try:
                await asyncio.to_thread(self._dead.send, letter)
                return
            except LabError as error:
                _log.warning("kafka: %s", error)
                await asyncio.sleep(0.5)


class Done(NamedTuple):
    """An event that is handled, or dead (then without the event)."""

    partition: int
    offset: int
    event: Event | None
