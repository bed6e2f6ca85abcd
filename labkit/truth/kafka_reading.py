"""Probes of Kafka about order and reading."""

from collections.abc import Iterator
from contextlib import ExitStack, closing

import confluent_kafka as ck

from labkit.base.names import fresh
from labkit.truth import worker
from labkit.truth.cases import CONFIRMED, GIVEN_BACK, HANDLED, Case, of, orders
from labkit.truth.judges import FAST, FIRST, LATE, ONE, SECOND, SLOW
from labkit.truth.kafka_steps import KafkaSteps

N = 32


def key_order(kafka: KafkaSteps) -> Iterator[Case]:
    topic = kafka.topic()
    kafka.send(topic, orders(N, keys=8))
    kafka.read(topic, ONE, N)
    yield kafka.case("with the key in the event, over four partitions, read by one consumer", "with a key")


def total_order(kafka: KafkaSteps) -> Iterator[Case]:
    topic = kafka.topic()
    kafka.send(topic, orders(N, keys=8), partition=0)
    kafka.read(topic, ONE, N)
    yield kafka.case("in one partition, read by one consumer", "one partition")
    topic = kafka.topic()
    kafka.send(topic, orders(N, keys=8))
    kafka.read(topic, ONE, N)
    yield kafka.case("over four partitions")


def two_consumers(kafka: KafkaSteps) -> Iterator[Case]:
    """The first consumer sits on its first event until the second has handled all that it can get."""
    topic, group = kafka.topic(), fresh("truth")
    with ExitStack() as stack:
        first, second = (
            stack.enter_context(closing(kafka.consumer(topic, group, heartbeat_interval_ms=300))) for _ in range(2)
        )
        kafka.join([first, second])
        kafka.send(topic, orders(N, keys=16))
        its = {f"{place.topic}/{place.partition}" for place in second.assignment()}
        n = sum(row.channel in its for row in of(tuple(kafka.trace.rows()), CONFIRMED))
        held = kafka.take(first, FIRST, handle=False)
        got = sum(kafka.take(second, SECOND) is not None for _ in range(n))
        while kafka.take(second, SECOND, within_s=0.5) is not None:  # more than its own: the order would be lost
            got += 1
        kafka.row(HANDLED, held, FIRST)
        for _ in range(N - 1 - got):
            kafka.take(first, FIRST)
    yield kafka.case("two members of one group, each with partitions of its own")


def put_back(kafka: KafkaSteps) -> Iterator[Case]:
    """The second of five events fails: seek back to it, and read on from there."""
    topic = kafka.topic()
    events = orders(5)
    kafka.send(topic, events, partition=0)
    with closing(kafka.consumer(topic)) as consumer:
        kafka.take(consumer, ONE)
        failed = kafka.take(consumer, ONE, handle=False)
        kafka.row(GIVEN_BACK, failed, ONE, "seek")
        consumer.seek(ck.TopicPartition(topic, 0, 1))
        for _ in events[1:]:
            kafka.take(consumer, ONE)
    yield kafka.case("the reader seeks back to its offset, and reads on from there")


def crash(kafka: KafkaSteps) -> Iterator[Case]:
    """A process reads three events, commits two, and is killed. One of its group goes on."""
    topic, group = kafka.topic(), fresh("truth")
    kafka.send(topic, orders(5), partition=0)
    worker.kill_on_kafka(kafka, topic, group)
    kafka.read(topic, SECOND, 3, group, **worker.MEMBER)
    yield kafka.case("the next of its group begins at the last commit")


def replay(kafka: KafkaSteps) -> Iterator[Case]:
    topic = kafka.topic()
    kafka.send(topic, orders(8, keys=4))
    kafka.read(topic, FIRST, 8, commit=True)
    kafka.read(topic, LATE, 8)
    yield kafka.case("a new group reads the topic from its first offset")


def slow_reader(kafka: KafkaSteps) -> Iterator[Case]:
    """The slow one does not finish its first event before the other has all."""
    topic = kafka.topic()
    kafka.send(topic, orders(8, keys=4))
    with closing(kafka.consumer(topic)) as consumer:
        held = kafka.take(consumer, SLOW, handle=False)
        kafka.read(topic, FAST, 8)
        kafka.row(HANDLED, held, SLOW)
    yield kafka.case("each service is a group of its own")


def nobody(kafka: KafkaSteps) -> Iterator[Case]:
    topic = kafka.topic()
    kafka.send(topic, orders(4))
    kafka.read(topic, LATE, 4)
    yield kafka.case("the topic keeps it; the first group to come reads from the first offset")
