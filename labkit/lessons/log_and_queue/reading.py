"""What lesson 03 looks up in a topic, so that its cells can do without the bookkeeping."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from confluent_kafka import Consumer, KafkaError, TopicPartition

from labkit.base.errors import BrokerError, NotInTimeError
from labkit.base.names import fresh
from labkit.brokers.kafka.topics import quiet
from labkit.lessons.log_and_queue.orders import number

PATIENCE_S = 20.0
_CURE = "look at `python -m labkit status`; a very busy machine may need a second try"


def read_all(config: Mapping[str, Any], topic: str) -> pd.DataFrame:
    """One reader for all partitions of the topic: a row an order, as they came.

    Columns: partition, offset, order (its number), bytes. It commits nothing. Raises BrokerError, also when there is
    no such topic, and NotInTimeError.
    """
    mine = {"group.id": fresh("look"), "enable.partition.eof": True, "enable.auto.commit": False}
    reader = Consumer({**quiet(config), **mine})
    rows: list[tuple[int | None, int | None, int, int]] = []
    try:
        open_ = set(reader.list_topics(topic, PATIENCE_S).topics[topic].partitions)
        if not open_:
            raise BrokerError(f"There is no topic {topic} to read.", "make it first, and publish to it")
        reader.assign([TopicPartition(topic, partition, 0) for partition in open_])
        while open_:
            message = reader.poll(PATIENCE_S)
            if message is None:
                raise NotInTimeError(f"{topic} was not read to its end within {PATIENCE_S:g} s.", _CURE)
            if (error := message.error()) is None:
                body = message.value() or b""
                rows.append((message.partition(), message.offset(), number(body), len(body)))
            elif error.code() == KafkaError._PARTITION_EOF:
                open_.discard(message.partition() or 0)
            else:
                raise BrokerError(f"Kafka does not let {topic} be read: {error.str()}.", _CURE)
    finally:
        reader.close()
    return pd.DataFrame(rows, columns=["partition", "offset", "order", "bytes"])


def laid_out(log: pd.DataFrame) -> pd.DataFrame:
    """The same as the log lies there: a row a partition, a column an offset, and which order stands in each place."""
    table = log.pivot(index="partition", columns="offset", values="order")
    return table.convert_dtypes().astype("string").fillna("")
