"""Where poison lies: events that no try will ever handle. They can be looked at, and stay where they are."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import pika
from confluent_kafka import Consumer, TopicPartition

from labkit.shop.config import dead_name

_PATIENCE_S = 10.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DeadLetter:
    """One dead letter. raw: the bytes as they came. service: who could not handle it. reason: why."""

    broker: str
    raw: bytes
    service: str
    reason: str


def on_kafka(config: Mapping[str, str], topic: str) -> list[DeadLetter]:
    """All dead letters of the shop's topic: the dead topic, read from its beginning to its present end."""
    settings: dict[str, Any] = {"logger": _log, **config, "group.id": "dead-letters", "enable.auto.commit": False}
    consumer = Consumer(settings)
    try:
        place = TopicPartition(dead_name(topic), 0, 0)
        _, end = consumer.get_watermark_offsets(place, timeout=_PATIENCE_S)
        consumer.assign([place])
        found: list[DeadLetter] = []
        while len(found) < end:
            message = consumer.poll(_PATIENCE_S)
            if message is None or message.error():
                break
            headers: dict[str, bytes] = dict(cast(Any, message.headers() or []))  # typed as a string, which it is not
            service, reason = (headers.get(name, b"").decode() for name in ("service", "reason"))
            found.append(DeadLetter("kafka", message.value() or b"", service, reason))
        return found
    finally:
        consumer.close()


def on_rabbitmq(url: str, topic: str) -> list[DeadLetter]:
    """All dead letters of the shop's exchange: taken from the dead queue without an ack, so that they go back."""
    found: list[DeadLetter] = []
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        while True:
            method, properties, body = channel.basic_get(dead_name(topic))
            if method is None:
                return found
            # The broker writes down where the event died: the queue, and "rejected" or "delivery_limit".
            death = ((properties.headers or {}).get("x-death") or [{}])[0]
            service = str(death.get("queue", "")).rpartition(".")[2]
            found.append(DeadLetter("rabbitmq", body, service, str(death.get("reason", ""))))
