"""Readers of a real Kafka topic, each in the group that an answer has named."""

from collections.abc import Hashable, Mapping, Sequence
from time import monotonic
from typing import Any, TypeVar

from confluent_kafka import Consumer

from labkit.base.errors import BrokerError
from labkit.base.names import fresh
from labkit.brokers.kafka import topics
from labkit.teach.checks.kafka import flush, real_topics

Who = TypeVar("Who", bound=Hashable)


def read(
    config: Mapping[str, Any], groups: Mapping[Who, str], values: Sequence[str], partitions: int = 2
) -> dict[Who, list[str]]:
    """What each of them reads of a topic, when all are there from the start.

    groups: reader -> its group, a name that is made fresh here. partitions: the values go to them in turn.
    Raises BrokerError.
    """
    topic, settings = fresh("exercise"), topics.quiet(config)
    with real_topics(config, {topic: partitions}) as producer:
        readers = {who: _reader(settings, f"{topic}.{group}", topic) for who, group in groups.items()}
        try:
            _wait_for_places(list(readers.values()), len(set(groups.values())) * partitions)
            for n, value in enumerate(values):
                producer.produce(topic, value, partition=n % partitions)
            flush(producer)
            return _read(readers, len(set(groups.values())) * len(values))
        finally:
            for reader in readers.values():
                reader.close()


def _reader(settings: Mapping[str, Any], group: str, topic: str) -> Consumer:
    reader = Consumer(
        {
            **settings,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "heartbeat.interval.ms": 100,  # so that a member hears soon that another has come
        }
    )
    reader.subscribe([topic])
    return reader


def _wait_for_places(readers: Sequence[Consumer], places: int) -> None:
    """Until every partition has a reader in every group."""
    end_s = monotonic() + topics.step_timeout_s()
    while sum(len(reader.assignment()) for reader in readers) < places:
        for reader in readers:
            reader.poll(0.01)
        if monotonic() > end_s:
            raise BrokerError(f"The groups were not ready within {topics.step_timeout_s():g} s.", topics.CURE)


def _read(readers: Mapping[Who, Consumer], due: int) -> dict[Who, list[str]]:
    """Read until every group has everything once: so many deliveries are due, and there are no more than these."""
    got: dict[Who, list[str]] = {who: [] for who in readers}
    end_s = monotonic() + topics.step_timeout_s()
    while sum(map(len, got.values())) < due:
        for who, reader in readers.items():
            message = reader.poll(0.01)
            if message is not None and message.error() is None:
                # Committed at once: should a member come late and take the partition, it goes on behind this one.
                reader.commit(message=message, asynchronous=False)
                got[who].append((message.value() or b"").decode())
        if monotonic() > end_s:
            raise BrokerError(f"Not everything was read within {topics.step_timeout_s():g} s.", topics.CURE)
    return got
