"""Kafka: produce to a topic, poll its partitions, commit an offset.

A thin coat over `confluent_kafka`: events in and out, a trace row for each step, errors that say what to do. `client`
is the bare one underneath, for everything that is not here.
"""

from labkit.brokers.kafka.consumer import Consumer, Received
from labkit.brokers.kafka.groups import GroupPosition, group_position, shared_out
from labkit.brokers.kafka.producer import NO_KEY, Producer
from labkit.brokers.kafka.topics import DEAD_SUFFIX, create_topics, delete_topics

__all__ = [
    "DEAD_SUFFIX", "NO_KEY", "Consumer", "GroupPosition", "Producer", "Received", "create_topics", "delete_topics",
    "group_position", "shared_out",
]  # fmt: skip
