"""The raw Kafka client, with a row for everything that it does. For real Kafka and for the stand-in."""

from collections.abc import Iterable, Sequence
from time import monotonic
from typing import Any

import confluent_kafka as ck

from labkit.base import patience, wait
from labkit.base.errors import BrokerError, NotInTimeError
from labkit.base.names import fresh
from labkit.brokers.kafka.groups import all_assigned
from labkit.brokers.kafka.topics import create_topics, delete_topics, dotted, quiet
from labkit.events.event import Event
from labkit.events.trace import now_ns
from labkit.truth.cases import ACKED, CONFIRMED, FAILED, HANDLED, PUBLISHED, RECEIVED, TIMEOUT_S, Notes

PARTITIONS = 4  # as many as the stand-in gives every topic


class KafkaSteps(Notes):
    """Topics, producers and consumers of one set of probes. `close` deletes the topics.

    config: where the broker is. standin: it is librdkafka's, where topics cannot be made and appear by themselves.
    """

    def __init__(self, config: dict[str, str], standin: bool = False) -> None:
        super().__init__("embedded" if standin else "kafka")
        self.config = quiet(config)
        self.standin = standin
        self._topics: list[str] = []
        self._usual: ck.Producer | None = None  # shared: an idempotent producer waits half a second for its number

    def topic(self, **settings: str) -> str:
        """A new topic with four partitions. settings: its own, with `_` for `.`; the stand-in has none."""
        name = fresh("truth")
        if self.standin:
            self.producer().list_topics(name, timeout=patience.seconds(TIMEOUT_S))
            return name
        self._topics.append(name)

        def made() -> bool:
            try:
                create_topics(self.config, {name: PARTITIONS}, **settings)
            except (BrokerError, NotInTimeError):
                return False
            return True

        wait.until(made, TIMEOUT_S, "Kafka makes a topic")  # one that was frozen takes none for a moment
        return name

    def producer(self, **settings: Any) -> ck.Producer:
        mine = {
            "acks": "all",
            "enable.idempotence": True,
            "message.timeout.ms": int(patience.seconds(TIMEOUT_S) * 1000),
        }
        return ck.Producer({**mine, **self.config, **dotted(settings)})

    def send(self, topic: str, events: Iterable[Event], note: str = "", producer: ck.Producer | None = None,
             **options: Any) -> None:  # fmt: skip
        """Publish with the event's subject as key, and wait until Kafka has taken or refused every event.

        options: of `produce` (partition, timestamp, headers). The row's position when published: the bytes of it.
        """
        self._usual = self._usual or self.producer()
        client = producer or self._usual
        for event in events:
            self.hand_over(client, topic, event, note, **options)
        client.flush(patience.seconds(TIMEOUT_S))

    def hand_over(self, client: ck.Producer, topic: str, event: Event, note: str = "", **options: Any) -> None:
        """Publish, and do not wait."""
        raw = event.to_bytes()
        self.row(PUBLISHED, event, "checkout", note, topic, len(raw))

        def answered(error: ck.KafkaError | None, message: ck.Message) -> None:
            if error is not None:
                self.row(FAILED, event, "checkout", error.name(), topic)
            else:
                self.row(CONFIRMED, event, "checkout", "", _channel(message), message.offset() or 0)

        try:
            client.produce(topic, raw, event.subject, on_delivery=answered, **options)
        except ck.KafkaException as error:  # the client itself refuses: it does not even ask the broker
            self.row(FAILED, event, "checkout", error.args[0].name(), topic)

    def consumer(self, topic: str, group: str = "", **settings: Any) -> ck.Consumer:
        """A member of a group (by default of a new one), which reads a new topic from its beginning."""
        mine = {"group.id": group or fresh("truth"), "enable.auto.commit": False, "auto.offset.reset": "earliest"}
        mine |= {"fetch.message.max.bytes": 30_000_000, "fetch.wait.max.ms": 50}
        consumer = ck.Consumer({**mine, **self.config, **dotted(settings)})
        consumer.subscribe([topic])
        return consumer

    def take(self, consumer: ck.Consumer, who: str, handle: bool = True, within_s: float = TIMEOUT_S) -> Event | None:
        """The next event, or None when there is none in that time; a row says that it was received, and handled."""
        end = monotonic() + patience.seconds(within_s)
        while True:
            message = consumer.poll(max(0.0, min(0.2, end - monotonic())))
            if message is not None and message.error() is None:
                event = Event.from_bytes(message.value() or b"")
                self.received(message, event, who)
                if handle:
                    self.row(HANDLED, event, who)
                return event
            if monotonic() >= end:
                return None

    def received(self, message: ck.Message, event: Event, who: str) -> None:
        """A row with the partition; its position is the offset, and for a large event its bytes."""
        size = len(message.value() or b"")
        self.row(RECEIVED, event, who, "", _channel(message), size if size > 500_000 else message.offset() or 0)

    def read(self, topic: str, who: str, n: int, group: str = "", commit: bool = False, **settings: Any) -> int:
        """Read `n` events as a new reader, handle each, and commit at the end if wanted. How many came."""
        consumer = self.consumer(topic, group, **settings)
        try:
            got: list[Event] = []
            while len(got) < n and (event := self.take(consumer, who)) is not None:
                got.append(event)
            if commit:
                consumer.commit(asynchronous=False)
                for event in got:
                    self.row(ACKED, event, who)
            return len(got)
        finally:
            consumer.close()

    def stored(self, topic: str) -> int:
        """How many events are in the topic, by the first and the last offset of its partitions."""

        def offsets() -> list[tuple[int, int]]:
            consumer = ck.Consumer({**self.config, "group.id": fresh("truth")})  # a new one: it knows no old leader
            try:
                places = [ck.TopicPartition(topic, partition) for partition in range(PARTITIONS)]
                return [consumer.get_watermark_offsets(place, timeout=2) for place in places]
            except ck.KafkaException:  # a broker that was frozen leads no partition for a moment
                return []
            finally:
                consumer.close()

        return sum(high - low for low, high in wait.until(offsets, TIMEOUT_S, "Kafka tells its offsets"))

    def join(self, consumers: Sequence[ck.Consumer]) -> None:
        """Wait until these have shared the topic's partitions among them. Nothing may be in the topic yet."""
        what = "every consumer of the group has partitions"
        wait.until(lambda: all_assigned(consumers, PARTITIONS), TIMEOUT_S, what, every_s=0)

    def until_time(self, at_ns: int) -> None:
        """Let that moment pass."""
        wait.until(lambda: now_ns() >= at_ns, TIMEOUT_S, "its time has come")

    def close(self) -> None:
        delete_topics(self.config, self._topics)
        self._topics.clear()


def _channel(message: ck.Message) -> str:
    return f"{message.topic()}/{message.partition()}"
