"""Lesson 03: what does each broker cost to run?

Two throw-away brokers are started for it, natively and with the course's settings, beside the lab's own: seconds to
the first client, memory, disk. Two more start with as few settings as they can, for the count of these.
Time, memory and disk are of this machine and this moment; the count of settings is the same everywhere.
"""

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Annotated, Any

import pandas as pd
import pika

from labkit import lab
from labkit.base.checkpoint import checkpoint
from labkit.harness.kinds import Whole
from labkit.harness.settings import experiment
from labkit.lessons.log_and_queue.costs_brokers import KAFKA_NEEDS, Broker, course_settings, started
from labkit.lessons.log_and_queue.throughput_clients import Channel, Queue, Topic
from labkit.measure.result import Measure, Result, plain
from labkit.provision.model import NAMES

BROKERS = ("kafka", "rabbitmq")
ROWS = {  # column of the run -> what it is, its unit
    "start_s": ("from start to first client", "s"),
    "memory_mb": ("memory, fresh", "MB"),
    "memory_used_mb": ("memory, after the events", "MB"),
    "processes": ("processes", ""),
    "disk_mb": ("disk, fresh", "MB"),
    "disk_full_mb": ("disk, added by the events", "MB"),
    "disk_read_mb": ("… after all are read", "MB"),
    "settings": ("settings it does not work without", ""),
    "steps": ("steps before its first start", ""),
}
NOT_HERE = "not measured here"


@experiment
def run(n: Annotated[int, Whole(1)] = 10_000, size: Annotated[int, Whole(1)] = 200) -> Result:
    """Start each broker, publish `n` events of `size` bytes to it, read them all, and look at it from outside.

    RabbitMQ keeps them in a quorum queue. Takes about 8 s. Where the lab's broker is not native (Docker, a cluster
    elsewhere), that broker is not measured: its columns are empty, and `not_measured` in the provenance says so.
    deliveries: one row a broker, the columns of ROWS. measures: `<broker>_<column>`.
    Raises BrokerError when a broker does not start, SettingError, CancelledError.
    """
    rows: list[dict[str, Any]] = []
    missing: list[str] = []
    for i, broker in enumerate(lab.running()):
        checkpoint(i / 2, f"{NAMES[broker.broker]} starts …")
        if broker.source == "native":
            rows.append({"broker": broker.broker, **_look(broker.broker, n, size)})
        else:
            missing.append(f"{NAMES[broker.broker]} {NOT_HERE}: it is {broker.source}")
    table = pd.DataFrame(rows, columns=["broker", *ROWS])
    return Result(summarize(table), table, measures(table), provenance=_provenance(n, size, missing))


def _look(which: str, n: int, size: int) -> dict[str, float]:
    with ExitStack() as last:
        broker = last.enter_context(started(which))
        found = {
            "start_s": broker.seconds,
            "memory_mb": broker.memory_mb(),
            "processes": broker.processes(),
            "disk_mb": broker.disk_mb(),
        }
        # The other broker is not timed, so that it may start meanwhile.
        barely = last.enter_context(ThreadPoolExecutor(1)).submit(_starts_with_few, which)
        found |= _filled(which, broker, n, size)
        found |= barely.result()
    return found


def _filled(which: str, broker: Broker, n: int, size: int) -> dict[str, float]:
    before = broker.disk_mb()
    client = broker.client
    made: Channel = Topic(client) if which == "kafka" else Queue(pika.URLParameters(client["url"]), "quorum")
    made.open()
    try:
        made.publish(bytes(size), n)
        full = broker.disk_mb()
        made.consume(n)
        found = {"disk_full_mb": full - before, "disk_read_mb": broker.disk_mb() - before}
        return found | {"memory_used_mb": broker.memory_mb()}
    finally:
        made.close()


def _starts_with_few(which: str) -> dict[str, float]:
    """Start it with as few settings as it works with. That it works is the measurement."""
    with started(f"bare {which}"):
        return {"settings": len(KAFKA_NEEDS), "steps": 1} if which == "kafka" else {"settings": 0, "steps": 0}


def measures(table: pd.DataFrame) -> dict[str, Measure]:
    """The table's numbers, each with a name and a unit."""
    return {
        f"{row['broker']}_{column}": Measure(float(row[column]), ROWS[column][1])
        for row in table.to_dict("records")
        for column in ROWS
    }


def summarize(table: pd.DataFrame) -> str:
    """One sentence: who is simpler in what."""
    if len(table) < 2:
        return f"Nothing to compare: a broker was {NOT_HERE}."
    kafka, rabbit = (table.set_index("broker").loc[name] for name in ("kafka", "rabbitmq"))
    return (
        f"Kafka needs {kafka['settings']:.0f} settings and RabbitMQ {rabbit['settings']:.0f}; Kafka serves its first "
        f"client after {kafka['start_s']:.1f} s, RabbitMQ after {rabbit['start_s']:.1f} s; they take "
        f"{kafka['memory_used_mb']:.0f} and {rabbit['memory_used_mb']:.0f} MB of memory."
    )


def ready(result: Result) -> dict[str, float]:
    """Who serves its first client after how many seconds, the sooner first. Only of brokers that were measured here."""
    found = {NAMES[str(row["broker"])]: float(row["start_s"]) for row in result.deliveries.to_dict("records")}
    return dict(sorted(found.items(), key=lambda one: one[1]))


def bill(result: Result) -> str:
    """The costs in one short line, without a full stop; where a broker was not measured it says so, and no numbers."""
    if len(result.deliveries) < len(BROKERS):
        here = f"{len(result.deliveries)} of {len(BROKERS)} brokers could be started natively"
        return f"{NOT_HERE.capitalize()}: only {here}"
    kafka, rabbit = (f"{needs:.0f}" for needs in _of(result, "settings"))
    start, memory = (
        " and ".join(plain(value) for value in _of(result, column)) for column in ("start_s", "memory_used_mb")
    )
    return f"Settings needed: Kafka {kafka}, RabbitMQ {rabbit}; first client after {start} s; memory {memory} MB"


def _of(result: Result, column: str) -> list[float]:
    return [float(result.measures[f"{name}_{column}"]) for name in BROKERS]


def _provenance(n: int, size: int, missing: list[str]) -> Mapping[str, str]:
    course = course_settings()
    about = {
        "brokers": lab.stamp(),
        "machine": f"one machine, {os.cpu_count()} cores",
        "load": f"{n:,} events of {size} bytes, read once",
        "settings": f"the course sets {course['kafka']} for Kafka and {course['rabbitmq']} for RabbitMQ",
        "not_measured": "; ".join(missing),
    }
    return {name: words for name, words in about.items() if words}
