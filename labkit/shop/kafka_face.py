"""The Kafka face of a service: it reads the topic as a member of its consumer group.

Many events are in work at the same time; committed is only what has no unfinished event before it.
"""

import asyncio
import contextlib
import logging
import queue
import threading
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from labkit.base.errors import BrokerError
from labkit.chaos.faults import Refused
from labkit.events.event import Event, EventError
from labkit.shop.config import TRIES, Config
from labkit.shop.publish import RECONNECT
from labkit.shop.work import Work

_FIRST_WAIT_S = 0.02
_COMMIT_S = 0.03  # how long a commit may have to wait

_log = logging.getLogger(__name__)


class KafkaFace:
    """Runs in the service's event loop; one thread beside it waits for messages."""

    def __init__(self, config: Config, work: Work) -> None:
        self.config, self.work = config, work
        self.ready = False
        self._settings: dict[str, Any] = {"logger": _log, **RECONNECT, **config.kafka}
        self._done: dict[int, Progress] = {}
        self._to_commit: queue.SimpleQueue[Done] = queue.SimpleQueue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._room = threading.Semaphore(4 * config.workers)  # events in this process, in work or waiting for it
        self._stop = threading.Event()
        self._dead: Producer | None = None

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
                self._done.setdefault(partition, Progress(offset)).begin(offset)
                self._loop.call_soon_threadsafe(self._take, message, partition, offset)

    def _commit(self) -> None:
        """Commit what is done. Here, and not where it is done: a commit from another thread waits for `poll` to end."""
        upto: dict[int, int] = {}
        events: list[Done] = []
        with contextlib.suppress(queue.Empty):
            while done := self._to_commit.get_nowait():
                events.append(done)
                if (next_one := self._done[done.partition].finish(done.offset)) is not None:
                    upto[done.partition] = next_one
        if not upto:
            return
        places = [TopicPartition(self.config.topic, partition, offset) for partition, offset in upto.items()]
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
        channel, raw = f"{self.config.topic}/{partition}", message.value() or b""
        event: Event | None = None
        try:
            event = await self._handle(raw, channel, offset)
        except Exception as error:
            await self._bury(message, f"{type(error).__name__}: {error}")
            self.work.buried(raw, channel, offset, "kafka", str(error))
        self._room.release()
        self._to_commit.put(Done(partition, offset, event))

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

    async def _bury(self, message: Message, why: str) -> None:
        """Put the message, bytes untouched, into the dead topic. Returns only when the broker has it."""
        _log.error("kafka: dead letter %s: %s", _place(message), why)
        headers = {"reason": why, "service": self.config.service, "from": _place(message)}
        while not self._stop.is_set():
            try:
                await asyncio.to_thread(self._send_dead, message, headers)
                return
            except (BrokerError, KafkaException) as error:
                _log.warning("kafka: %s", error)
                await asyncio.sleep(0.5)

    def _send_dead(self, message: Message, headers: dict[str, str]) -> None:
        if self._dead is None:
            self._dead = Producer({**self._settings, "acks": "all", "delivery.timeout.ms": 5000})
        refused: list[KafkaError] = []
        self._dead.produce(
            self.config.dead,
            message.value(),
            message.key(),
            headers={name: value.encode() for name, value in headers.items()},
            on_delivery=lambda error, _: refused.append(error) if error else None,
        )
        if self._dead.flush(10) or refused:
            raise BrokerError(f"The dead letter was not taken: {refused}.", f"look at the topic {self.config.dead}")


class Done(NamedTuple):
    """An event that is handled, or dead (then without the event)."""

    partition: int
    offset: int
    event: Event | None


class Progress:
    """How far one partition is done without a gap."""

    def __init__(self, first: int) -> None:
        self._next = first
        self._open: set[int] = set()
        self._highest = first - 1

    def begin(self, offset: int) -> None:
        self._open.add(offset)
        self._highest = max(self._highest, offset)

    def finish(self, offset: int) -> int | None:
        """The offset to commit (the next one to read), or None when an earlier event is still in work."""
        self._open.discard(offset)
        upto = min(self._open, default=self._highest + 1)
        if upto <= self._next:
            return None
        self._next = upto
        return upto


def _place(message: Message) -> str:
    return f"{message.topic()}/{message.partition()}@{message.offset()}"
