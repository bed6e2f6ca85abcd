"""Dead letters on Kafka: they go to `<topic>.dead`, bytes and key untouched, with the reason in a header."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import confluent_kafka as ck

from labkit.base.errors import BrokerError
from labkit.brokers.dead_letters import dead_name
from labkit.brokers.kafka import bare
from labkit.brokers.kafka.topics import CURE, provide_topic, quiet, said, step_timeout_s


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that its group cannot handle. topic, partition, offset: where it was. reason: why it is dead."""

    raw: bytes
    key: bytes | None
    reason: str
    group: str
    topic: str
    partition: int
    offset: int

    @staticmethod
    def for_message(message: ck.Message, group: str, reason: str) -> "DeadLetter":
        """The letter that keeps this message."""
        place = message.topic() or "", message.partition() or 0, message.offset() or 0
        return DeadLetter(message.value() or b"", message.key(), reason, group, *place)

    def headers(self) -> dict[str, str | bytes | None]:
        """What is written beside the bytes."""
        place = {"topic": self.topic, "partition": str(self.partition), "offset": str(self.offset)}
        return {"reason": self.reason, "group": self.group, **place}

    @staticmethod
    def from_message(message: ck.Message) -> "DeadLetter":
        """The letter in a message of the dead topic. A header that is missing reads as "" or -1."""
        headers = dict(cast(list[tuple[str, bytes | None]], message.headers() or []))
        reason, group, topic = ((headers.get(name) or b"").decode() for name in ("reason", "group", "topic"))
        partition, offset = (int(headers.get(name) or -1) for name in ("partition", "offset"))
        return DeadLetter(message.value() or b"", message.key(), reason, group, topic, partition, offset)


class DeadLetterProducer:
    """Sends dead letters. It connects with the first one, and makes the dead topic when it is not there."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._config = quiet(config)
        self._made: set[str] = set()

    @cached_property
    def _client(self) -> ck.Producer:
        # Not idempotent: such a producer's first event waits half a second for the producer's id.
        return ck.Producer({"acks": "all", "delivery.timeout.ms": int(step_timeout_s() * 1000), **self._config})

    def send(self, letter: DeadLetter) -> None:
        """Returns when Kafka has confirmed the letter: only then may the original be committed. Raises BrokerError."""
        topic, client, answers = dead_name(letter.topic), self._client, list[str]()
        if topic not in self._made:
            provide_topic(self._config, topic)
            self._made.add(topic)
        try:
            client.produce(
                topic,
                letter.raw,
                letter.key,
                headers=letter.headers(),
                on_delivery=lambda error, _: answers.append(error.str() if error else ""),
            )
            client.flush(step_timeout_s())
        except (BufferError, ck.KafkaException) as error:
            answers.append(str(error))
        if answers != [""]:
            self._made.discard(topic)  # perhaps it is not there any more
            raise BrokerError(f"A dead letter could not be kept in {topic}: {(answers or ['no answer'])[0]}.", CURE)


def read(config: Mapping[str, Any], topic: str) -> list[DeadLetter]:
    """All dead letters of `topic`, which stay where they are; none when there is no dead topic. Raises BrokerError."""
    consumer, dead, found = bare.consumer(config), dead_name(topic), list[DeadLetter]()
    try:
        for partition in consumer.list_topics(dead, step_timeout_s()).topics[dead].partitions:
            place = ck.TopicPartition(dead, partition)
            place.offset, end = consumer.get_watermark_offsets(place, step_timeout_s())
            consumer.assign([place])
            at = place.offset
            while at < end:
                message = consumer.poll(step_timeout_s())
                if message is None:
                    raise BrokerError(f"Kafka gave {at} of {end} dead letters of {topic}, and then no more.", CURE)
                if message.error() is None:
                    found.append(DeadLetter.from_message(message))
                    at = (message.offset() or 0) + 1
    except ck.KafkaException as error:
        raise BrokerError(f"The dead letters of {topic} could not be read: {said(error)}.", CURE) from error
    finally:
        consumer.close()
    return found
