"""Lesson 03: how many events a second does each take, and how does their size change it?

One producer and one consumer, one at a time, the same bytes, every event confirmed. The kinds take turns, round by
round, so that all of them meet the same noise of the machine.
"""

import gc
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import product
from typing import Annotated

import pandas as pd

from labkit import lab
from labkit.base.checkpoint import checkpoint
from labkit.base.errors import SettingError
from labkit.brokers.rabbitmq.bare import WINDOW
from labkit.harness.kinds import Each, OneOf, Whole
from labkit.harness.settings import experiment
from labkit.lessons.log_and_queue.throughput_clients import Channel, Queue, Topic
from labkit.measure.result import Measure, Result, plain

KINDS = ("kafka", "quorum", "stream")  # "classic" is the fourth that can be asked for
NAMES = {
    "kafka": "Kafka",
    "quorum": "RabbitMQ's quorum queue",
    "classic": "its classic queue",
    "stream": "RabbitMQ's stream",
}
CLIENTS = {"kafka": "confluent-kafka (C)", "rabbitmq": "pika (Python)"}
FEWEST = 200  # events a measurement; of large ones there are fewer, or they would take all the time
_BYTES = 1000  # the budget: so many bytes for each of the `n` events


@experiment
def run(
    sizes: Annotated[Sequence[int], Each(Whole(1))] = (200, 2000, 20_000),
    n: Annotated[int, Whole(FEWEST)] = 4000,
    rounds: Annotated[int, Whole(1)] = 3,
    kinds: Annotated[Sequence[str], Each(OneOf(NAMES))] = KINDS,
) -> Result:
    """Publish and consume events of each size (bytes) through a topic, queues and a stream of this run's own.

    n: events of the small sizes; of the others as many as 1,000 bytes for each of these would make, at least FEWEST.
    kinds: "kafka", and RabbitMQ's "quorum", "classic", "stream". Takes about 5 s on two quiet cores.
    deliveries: a row per kind, size and round: kind, size_b, round, n, publish_per_s, consume_per_s (events a second),
    publish_mb_s, consume_mb_s (10^6 bytes a second of what is in the events).
    measures: `<kind>_<size>_publish` and `_consume`: medians of the rounds; `factor_<size>`: how many times as many
    events Kafka takes as the quorum queue. Raises SettingError, BrokerError, NotInTimeError.
    """
    brokers = lab.brokers({"kafka" if kind == "kafka" else "rabbitmq" for kind in kinds})
    rows: list[dict[str, object]] = []
    with ExitStack() as last:
        checkpoint(0, "everything warms up …")
        channels = _open(kinds, brokers, last)
        for made in channels.values():
            _measure(made, bytes(min(sizes)), FEWEST)
        steps = list(_steps(rounds, sizes, kinds))
        for i, (number, size, kind) in enumerate(steps):
            checkpoint(i / len(steps), f"round {number} of {rounds}: {size:,} bytes, {kind} …")
            row = {"kind": kind, "size_b": size, "round": number}
            rows.append(row | _measure(channels[kind], bytes(size), events(n, size)))
    table = pd.DataFrame(rows)
    numbers = medians(table)
    return Result(summarize(table), table, numbers, provenance=_provenance(brokers, n, rounds, kinds))


def events(n: int, size: int) -> int:
    """How many events of this size a measurement has."""
    return max(FEWEST, min(n, n * _BYTES // size))


def _open(kinds: Sequence[str], brokers: lab.Brokers, last: ExitStack) -> dict[str, Channel]:
    channels: dict[str, Channel] = {}
    for kind in dict.fromkeys(kinds):
        of_kafka = kind == "kafka"
        made = Topic(brokers.kafka_config()) if of_kafka else Queue(brokers.rabbitmq_parameters(), kind)
        channels[kind] = made
        last.callback(made.close)
        made.open()
    return channels


def _steps(rounds: int, sizes: Sequence[int], kinds: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """(round, size, kind). Who begins changes from round to round."""
    for number in range(1, rounds + 1):
        turn = (number - 1) % len(kinds)
        for size, kind in product(sizes, [*kinds[turn:], *kinds[:turn]]):
            yield number, size, kind


def _measure(made: Channel, body: bytes, n: int) -> dict[str, object]:
    gc.collect()  # nobody pays for the other's garbage
    publish, consume = n / made.publish(body, n), n / made.consume(n)
    mb = len(body) / 1e6
    return {
        "n": n,
        "publish_per_s": publish,
        "consume_per_s": consume,
        "publish_mb_s": publish * mb,
        "consume_mb_s": consume * mb,
    }


def medians(table: pd.DataFrame) -> dict[str, Measure]:
    """The numbers of a run: medians of its rounds, and Kafka against the quorum queue."""
    middle = table.groupby(["kind", "size_b"], sort=False)[["publish_per_s", "consume_per_s"]].median()
    found: dict[str, Measure] = {}
    for kind, size, publish, consume in middle.reset_index().itertuples(index=False):
        found[f"{kind}_{size}_publish"] = Measure(float(publish), "events/s")
        found[f"{kind}_{size}_consume"] = Measure(float(consume), "events/s")
    for size in table["size_b"].unique():
        if {f"kafka_{size}_publish", f"quorum_{size}_publish"} <= found.keys():
            ratio = float(found[f"kafka_{size}_publish"]) / float(found[f"quorum_{size}_publish"])
            found[f"factor_{size}"] = Measure(ratio, "times")
    return found


def ranked(result: Result, size: int, what: str = "publish") -> str:
    """One sentence: the medians of events of this size (bytes), the quickest kind first. what: publish or consume.

    Raises SettingError when no events of this size were measured.
    """
    rows = result.deliveries[result.deliveries["size_b"] == size]
    if rows.empty:
        sizes = ", ".join(map(str, result.deliveries["size_b"].unique()))
        raise SettingError(f"No events of {size} bytes were measured.", f"take one of: {sizes}")
    middle = rows.groupby("kind")[f"{what}_per_s"].median().sort_values(ascending=False)
    done = "consumed and acknowledged" if what == "consume" else "published and confirmed"
    return f"Events of {size:,} bytes, {done}, a second: {_rates(middle)}."


def summarize(table: pd.DataFrame) -> str:
    """One sentence: what each takes of the smallest events."""
    smallest = int(table["size_b"].min())
    small = table[table["size_b"] == smallest].groupby("kind", sort=False)["publish_per_s"].median()
    return f"Events of {smallest:,} bytes, all confirmed, a second: {_rates(small)}."


def _rates(middle: "pd.Series[float]") -> str:
    return ", ".join(f"{NAMES[str(kind)]} {plain(float(f'{rate:.2g}'))}" for kind, rate in middle.items())


def _provenance(brokers: lab.Brokers, n: int, rounds: int, kinds: Sequence[str]) -> dict[str, str]:
    rabbit = set(kinds) - {"kafka"}
    clients = [CLIENTS["kafka"]] * ("kafka" in kinds) + [CLIENTS["rabbitmq"]] * bool(rabbit)
    return {
        "brokers": brokers.stamp,
        "clients": " and ".join(clients),
        "machine": f"one machine, {os.cpu_count()} cores",
        "load": f"one producer, all confirmed, up to {WINDOW:,} in flight",
        "n": f"{n:,} events or fewer, median and range of {rounds}",
    }
