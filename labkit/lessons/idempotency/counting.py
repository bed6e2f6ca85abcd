"""How often each order stands in a topic or a queue: read once, to its present end."""

from collections import Counter
from collections.abc import Mapping
from time import monotonic
from typing import Any

import confluent_kafka as ck
import pika

from labkit.base import names
from labkit.base.errors import BrokerError
from labkit.brokers.kafka.topics import CURE, quiet
from labkit.brokers.rabbitmq import topology
from labkit.events.event import Event

_PATIENCE_S = 15.0


def in_topic(config: Mapping[str, Any], topic: str, committed: bool = True) -> dict[str, int]:
    """order -> events of it in partition 0. committed: only what belongs to no aborted transaction.

    Raises BrokerError when Kafka does not answer.
    """
    level = "read_committed" if committed else "read_uncommitted"
    mine = {"group.id": names.fresh("count"), "isolation.level": level, "enable.partition.eof": True}
    consumer = ck.Consumer({**quiet(config), **mine, "fetch.wait.max.ms": 20})
    found: Counter[str] = Counter()
    end_s = monotonic() + _PATIENCE_S
    try:
        consumer.assign([ck.TopicPartition(topic, 0, ck.OFFSET_BEGINNING)])
        while monotonic() < end_s:
            message = consumer.poll(0.5)
            if message is None:
                continue
            error = message.error()
            if error is None:
                found[Event.from_bytes(message.value() or b"").subject] += 1
            elif error.code() == ck.KafkaError._PARTITION_EOF:
                return dict(found)
    finally:
        consumer.close()
    raise BrokerError(f"Kafka did not give the end of {topic} within {_PATIENCE_S:g} s.", CURE)


def in_queue(parameters: pika.ConnectionParameters, queue: str) -> dict[str, int]:
    """order -> messages of it. They are taken out of the queue. Raises BrokerError."""
    found: Counter[str] = Counter()
    with topology.channel(parameters) as channel:
        while True:
            method, _, body = channel.basic_get(queue, auto_ack=True)
            if method is None:
                return dict(found)
            found[Event.from_bytes(body or b"").subject] += 1
