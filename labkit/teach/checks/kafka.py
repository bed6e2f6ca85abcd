"""What an exercise leaves on a real Kafka: nothing. The sister of `rabbitmq.py`."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from confluent_kafka import KafkaException, Producer

from labkit.base.errors import BrokerError
from labkit.brokers.kafka import bare, topics


@contextmanager
def real_topics(config: Mapping[str, Any], partitions: Mapping[str, int]) -> Iterator[Producer]:
    """Topics for a moment, and a producer to fill them. partitions: topic -> how many. Raises BrokerError."""
    topics.create_topics(config, partitions)
    try:
        yield bare.producer(config)
    except KafkaException as error:
        raise BrokerError(f"Kafka failed: {topics.said(error)}.", topics.CURE) from error
    finally:
        topics.delete_topics(config, partitions)


def flush(producer: Producer) -> None:
    """Until Kafka has all of it. Raises BrokerError."""
    if producer.flush(topics.step_timeout_s()):
        raise BrokerError(f"Kafka did not take the messages within {topics.step_timeout_s():g} s.", topics.CURE)
