"""What lesson 03 looks up in a topic, so that its cells can do without the bookkeeping."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from labkit.brokers import kafka
from labkit.lessons.log_and_queue.orders import number


def read_all(config: Mapping[str, Any], topic: str) -> pd.DataFrame:
    """One reader for all partitions of the topic: a row an order, as they came.

    Columns: partition, offset, order (its number), bytes. It commits nothing. Raises as `kafka.read_all`.
    Built in: notebooks/03_log_and_queue.ipynb
    """
    rows = [
        (one.partition(), one.offset(), number(one.value()), len(one.value() or b""))
        for one in kafka.read_all(config, topic)
    ]
    return pd.DataFrame(rows, columns=["partition", "offset", "order", "bytes"])


def laid_out(log: pd.DataFrame) -> pd.DataFrame:
    """The same as it is in the log: a row a partition, a column an offset, and which order is in each place."""
    table = log.pivot(index="partition", columns="offset", values="order")
    return table.convert_dtypes().astype("string").fillna("")
