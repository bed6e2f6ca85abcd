"""Bare `confluent_kafka` clients with the course's settings, for measuring and for `Producer`: no event, no trace."""

from collections.abc import Mapping
from typing import Any

import confluent_kafka as ck

from labkit.base.names import fresh
from labkit.brokers.kafka.topics import quiet, step_timeout_s


def producer(config: Mapping[str, Any], **settings: Any) -> ck.Producer:
    """A producer whose every event all copies confirm. settings: librdkafka's own, by their own names."""
    mine = {"acks": "all", "enable.idempotence": True, "delivery.timeout.ms": int(step_timeout_s() * 1000)}
    return ck.Producer({**mine, **quiet(config), **settings})


def consumer(config: Mapping[str, Any]) -> ck.Consumer:
    """A consumer in a group of its own that begins with the oldest event. It has no topic yet."""
    mine = {"group.id": fresh("bare"), "auto.offset.reset": "earliest", "enable.auto.commit": False}
    return ck.Consumer({**mine, **quiet(config)})
