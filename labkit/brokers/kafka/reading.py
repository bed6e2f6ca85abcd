"""What a topic holds now: read once, from its beginning to its end."""

from collections.abc import Mapping
from typing import Any

import confluent_kafka as ck

from labkit.base.errors import BrokerError, NotInTimeError
from labkit.brokers.kafka import bare
from labkit.brokers.kafka.topics import CURE, count_partitions, dotted, step_timeout_s


def read_all(config: Mapping[str, Any], topic: str, **settings: Any) -> list[ck.Message]:
    """All messages of all partitions, as `confluent_kafka` gives them: each partition in order. It commits nothing.

    settings: librdkafka's own, with `_` for `.`: isolation_level="read_uncommitted" for what belongs to no committed
    transaction too. Raises BrokerError, also when there is no such topic, and NotInTimeError.
    """
    left = set(range(count_partitions(config, topic)))
    if not left:
        raise BrokerError(f"There is no topic {topic} to read.", "make it first (`create_topics`), and publish to it")
    mine = {"enable.partition.eof": True, "fetch.wait.max.ms": 20, "error_cb": lambda _: None}  # those that may pass
    consumer = bare.consumer({**config, **mine, **dotted(settings)})
    found: list[ck.Message] = []
    try:
        consumer.assign([ck.TopicPartition(topic, partition, ck.OFFSET_BEGINNING) for partition in left])
        while left:
            message = consumer.poll(2 * step_timeout_s())
            if message is None:
                raise NotInTimeError(f"{topic} was not read to its end within {2 * step_timeout_s():g} s.", CURE)
            if (error := message.error()) is None:
                found.append(message)
            elif error.code() == ck.KafkaError._PARTITION_EOF:
                left.discard(message.partition() or 0)
            else:
                raise BrokerError(f"Kafka does not let {topic} be read: {error.str()}.", CURE)
    finally:
        consumer.close()
    return found
