"""Runs that were recorded on real brokers, for the stage: `stage_rows/<name>.jsonl.gz`, one row a line.

kafka_keyed, kafka_spread: eight orders with three events each, three partitions, two members of a group; with the order
as key, and without a key. rabbitmq_nack: the same orders, one queue, two consumers, prefetch 1, one nack. both: the
first and the third in one trace, one after the other. kafka_1000, rabbitmq_1000: 200 orders with five events each.
"""

import gzip
from pathlib import Path

import orjson

from labkit.events.rows import Row

FOLDER = Path(__file__).with_name("stage_rows")
NAMES = ("kafka_keyed", "kafka_spread", "rabbitmq_nack", "both", "kafka_1000", "rabbitmq_1000")


def file(name: str) -> Path:
    return FOLDER / f"{name}.jsonl.gz"


def rows(name: str) -> list[Row]:
    return [Row(*orjson.loads(line)) for line in gzip.decompress(file(name).read_bytes()).splitlines()]
