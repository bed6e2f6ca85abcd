"""A real partition with messages in it, a group that reads it, and a place for dead letters."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Any

from confluent_kafka import Consumer, Message, TopicPartition

from labkit.base.errors import BrokerError
from labkit.base.names import fresh
from labkit.brokers.dead_letters import dead_name
from labkit.brokers.kafka import topics
from labkit.teach.checks.kafka import flush, real_topics


class PartitionReader:
    """A consumer group's only member, on its only partition. It is assigned, so that a restart takes no time."""

    def __init__(self, settings: Mapping[str, Any], topic: str) -> None:
        self._topic = topic
        mine = {"group.id": topic, "enable.auto.commit": False, "auto.offset.reset": "earliest"}
        quick = {"fetch.wait.max.ms": 20}  # a seek waits for the fetch under way, which waits for new messages
        self.consumer = Consumer({**settings, **mine, **quick})
        self.restart(0)

    def read(self) -> Message:
        """The next message. Raises BrokerError when none comes."""
        end_s = monotonic() + topics.step_timeout_s()
        while monotonic() < end_s:
            message = self.consumer.poll(0.2)
            if message is not None and message.error() is None:
                return message
        raise BrokerError(f"No message came from Kafka within {topics.step_timeout_s():g} s.", topics.CURE)

    def committed(self) -> int:
        """The group's place; 0 when it has never committed."""
        place = self.consumer.committed([TopicPartition(self._topic, 0)], timeout=topics.step_timeout_s())[0].offset
        return max(0, place)

    def restart(self, offset: int) -> None:
        """As a new process would: begin at this offset."""
        self.consumer.assign([TopicPartition(self._topic, 0, offset)])

    def all(self, topic: str) -> list[bytes]:
        """Everything in the first partition of a topic."""
        count = self.consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=topics.step_timeout_s())[1]
        self.consumer.assign([TopicPartition(topic, 0, 0)])
        return [value_of(self.read()) for _ in range(count)]


@contextmanager
def partition(
    config: Mapping[str, Any], messages: Sequence[bytes]
) -> Iterator[tuple[PartitionReader, Callable[[bytes], None], Callable[[], list[bytes]]]]:
    """(reader, a way to put dead letters away, a way to look at them). All of it is gone afterwards.

    Raises BrokerError.
    """
    topic = fresh("exercise")
    dead = dead_name(topic)
    with real_topics(config, {topic: 1, dead: 1}) as producer:
        reader = PartitionReader(topics.quiet(config), topic)

        def buried() -> list[bytes]:
            flush(producer)
            return reader.all(dead)

        try:
            for raw in messages:
                producer.produce(topic, raw)
            flush(producer)
            yield reader, lambda raw: producer.produce(dead, raw), buried
        finally:
            reader.consumer.close()


def value_of(message: Message) -> bytes:
    """A message's bytes; a tombstone has none."""
    value = message.value()
    return value.encode() if isinstance(value, str) else value or b""
