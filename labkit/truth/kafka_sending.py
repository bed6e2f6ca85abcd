"""Probes of Kafka about sending and time."""

import time
from collections.abc import Iterator
from contextlib import closing

import confluent_kafka as ck
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # exported without saying so
    AdminClient,
    ConfigResource,
    ResourceType,
)

from labkit.base import patience, wait
from labkit.base.names import fresh
from labkit.events.event import Event
from labkit.events.trace import DUE, now_ns
from labkit.truth.cases import TIMEOUT_S, Case, mark, orders
from labkit.truth.judges import LATE, ONE, SHORT_LIVED, URGENT
from labkit.truth.kafka_steps import KafkaSteps

AHEAD_S = 5.0  # how far in the future an event is due
TWO_MB = 2_000_000


def unroutable(kafka: KafkaSteps) -> Iterator[Case]:
    kafka.send(fresh("truth-missing"), orders(1), producer=kafka.producer(topic_metadata_propagation_max_ms=500))
    yield kafka.case("a topic that nobody has made" + ("" if kafka.standin else _auto_create(kafka)))


def _auto_create(kafka: KafkaSteps) -> str:
    """Kafka's own default is to make such a topic; what this broker is set to belongs to the answer."""
    admin = AdminClient(kafka.config)
    timeout_s = patience.seconds(TIMEOUT_S)
    broker = next(iter(admin.list_topics(timeout=timeout_s).brokers))
    resource = ConfigResource(ResourceType.BROKER, str(broker))
    found = admin.describe_configs([resource], request_timeout=timeout_s)[resource].result(timeout_s)
    return f", where auto.create.topics.enable is {found['auto.create.topics.enable'].value}"


def large(kafka: KafkaSteps) -> Iterator[Case]:
    big = Event("OrderPlaced", "/shop/checkout", "order-1", {"note": "x" * TWO_MB}, seq=1)
    both = kafka.topic(max_message_bytes="3000000")
    kafka.send(both, [big], producer=kafka.producer(message_max_bytes=3_000_000))
    kafka.read(both, ONE, 1)
    yield kafka.case(
        "2 MB, when the client (message.max.bytes) and the topic (max.message.bytes) allow it", "set on both"
    )
    topic = kafka.topic()
    kafka.send(topic, [big], producer=kafka.producer(message_max_bytes=3_000_000))
    kafka.read(topic, ONE, kafka.stored(topic))
    yield kafka.case("2 MB, when only the client allows it", "")
    kafka.send(topic, [big])
    yield kafka.case("2 MB, with the client as it comes")


def delay(kafka: KafkaSteps) -> Iterator[Case]:
    """The only time that a sender can say is the event's timestamp."""
    topic = kafka.topic()
    (event,) = orders(1)
    with closing(kafka.consumer(topic)) as consumer:
        kafka.join([consumer])  # before it is sent: to join takes time too
        kafka.row(DUE, event, "checkout", t_ns=now_ns() + int(AHEAD_S * 1e9))
        kafka.send(topic, [event], timestamp=int((time.time() + AHEAD_S) * 1000))
        kafka.take(consumer, ONE)
    yield kafka.case("an event with its timestamp in the future comes at once")


def priority(kafka: KafkaSteps) -> Iterator[Case]:
    topic = kafka.topic()
    events = orders(6)
    kafka.send(topic, events[:5], partition=0)
    kafka.send(topic, events[5:], URGENT, partition=0, headers={"priority": "9"})
    kafka.read(topic, ONE, 6)
    yield kafka.case("a partition is read in the order of its offsets, whatever a header says")


def expiry(kafka: KafkaSteps) -> Iterator[Case]:
    """A topic whose events may be deleted after 100 ms; beside it one in which the event only says so."""
    short, behind = orders(1)[0], mark()
    topic = kafka.topic(retention_ms="100", segment_ms="100")
    kafka.send(topic, [short], SHORT_LIVED, partition=0)
    if not kafka.standin:
        _until_deleted(kafka, topic)
    # An hour young, or it would be deleted before it is read.
    kafka.send(topic, [behind], partition=0, timestamp=int((time.time() + 3000) * 1000))
    kafka.read(topic, LATE, kafka.stored(topic))
    if not kafka.standin:
        yield kafka.case("a time for the whole topic, retention.ms", "whole topic")
    topic = kafka.topic()
    kafka.send(topic, [short], SHORT_LIVED, partition=0, headers={"expiration": "100"})
    kafka.until_time(now_ns() + 200_000_000)
    kafka.send(topic, [behind], partition=0)
    kafka.read(topic, LATE, 2)
    yield kafka.case("a time for one event: a header changes nothing")


def _until_deleted(kafka: KafkaSteps, topic: str) -> None:
    place = ck.TopicPartition(topic, 0)
    with closing(ck.Consumer({**kafka.config, "group.id": fresh("truth")})) as consumer:
        wait.until(
            lambda: consumer.get_watermark_offsets(place, timeout=patience.seconds(TIMEOUT_S))[0] > 0,
            TIMEOUT_S,
            "Kafka has deleted what is older than retention.ms",
        )
