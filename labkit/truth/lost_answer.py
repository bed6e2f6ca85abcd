"""A Kafka producer whose connection breaks after the broker has its event, and before the answer: it sends again."""

from collections.abc import Iterator

from labkit.base import patience
from labkit.chaos.wire import Wire
from labkit.provision.model import Started
from labkit.truth.cases import FAILED, TIMEOUT_S, Case, NoEvidenceError, orders
from labkit.truth.judges import LATE
from labkit.truth.kafka_steps import KafkaSteps


def retry_twice(kafka: KafkaSteps, started: Started) -> Iterator[Case]:
    _lose_the_answer(kafka, started, idempotent=False)
    yield kafka.case("enable.idempotence=False", "not idempotent")
    _lose_the_answer(kafka, started, idempotent=True)
    yield kafka.case("enable.idempotence=True: the broker is to know each event's number, and to store it once")


def _lose_the_answer(kafka: KafkaSteps, started: Started, idempotent: bool) -> None:
    """Five events; the answer to the third is lost on the way. Raises NoEvidenceError when it was not."""
    topic, events = kafka.topic(), orders(5)
    host, _, port = started.running.address.rpartition(":")
    with Wire(host, int(port), kafka=True) as wire:
        at = {"bootstrap_servers": f"{wire.host}:{wire.port}"}
        producer = kafka.producer(enable_idempotence=idempotent, linger_ms=0, **at)
        kafka.send(topic, events[:2], producer=producer, partition=0)
        wire.lose_the_answer_to([events[2].id])
        kafka.send(topic, events[2:], producer=producer, partition=0)
        producer.flush(patience.seconds(TIMEOUT_S))
        if not wire.lost:
            raise NoEvidenceError("No answer of Kafka was lost.", "ask again")
    kafka.row(FAILED, who="checkout", note="no answer, sent again")
    kafka.read(topic, LATE, kafka.stored(topic))
