"""Kafka: produce to a topic, poll its partitions, commit an offset.

A thin coat over `confluent_kafka`: events in and out, a trace row for each step, errors that say what to do. `client`
is the bare one underneath, for everything that is not here.
"""

from labkit.brokers.dead_letters import DEAD_SUFFIX
from labkit.brokers.kafka import dead_letters
from labkit.brokers.kafka.consumer import Consumer, Received
from labkit.brokers.kafka.groups import GroupPosition, all_assigned, delete_groups, group_position, list_groups
from labkit.brokers.kafka.listener import Listener, wait_until_assigned
from labkit.brokers.kafka.producer import NO_KEY, Producer
from labkit.brokers.kafka.reading import read_all
from labkit.brokers.kafka.temporary import temporary_topics, warm_up
from labkit.brokers.kafka.topics import create_topics, delete_topics

__all__ = [
    "DEAD_SUFFIX",
    "NO_KEY",
    "Consumer",
    "GroupPosition",
    "Listener",
    "Producer",
    "Received",
    "all_assigned",
    "create_topics",
    "dead_letters",
    "delete_groups",
    "delete_topics",
    "group_position",
    "list_groups",
    "read_all",
    "temporary_topics",
    "wait_until_assigned",
    "warm_up",
]  # fmt: skip
