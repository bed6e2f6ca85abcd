"""Lesson 00: how long does one event take?

The same orders go through both brokers in the same seconds, Kafka and RabbitMQ in turn. Every event is confirmed by
its broker, and each broker has a consumer of its own.
"""

import json
import os
import time
from collections.abc import Sequence
from typing import Annotated, Any

import pandas as pd

from labkit import lab
from labkit.base import patience
from labkit.base.errors import SettingError
from labkit.base.tasks import TaskGroup
from labkit.brokers.kafka import temporary_topics
from labkit.brokers.rabbitmq import temporary_queues
from labkit.harness.kinds import Number, Whole
from labkit.harness.settings import experiment
from labkit.lessons.start_here.first_events_clients import TIMEOUT_S, Kafka, RabbitMQ
from labkit.measure import latency
from labkit.measure.result import Measure, Result
from labkit.shop.orders import Order

WARM_UP = 30  # events before the clock counts: first connections, caches and a producer's id cost once
_TIMES = ["due_s", "published_s", "confirmed_s", "received_s"]


@experiment
def run(
    brokers: lab.Brokers,
    orders: Sequence[Order],
    n: Annotated[int, Whole(1, 100_000)] = 500,
    rate: Annotated[float, Number(1, 5_000)] = 100.0,
    linger_ms: Annotated[float, Number(0, 5_000)] = 0.0,
) -> Result:
    """Send `n` OrderPlaced events through each broker, `rate` a second each, and time every one.

    brokers: both, as `lab.brokers()` gives them.
    orders: taken in turn, from the start again when there are fewer than `n`.
    linger_ms: how long Kafka's producer waits for more events before it sends a batch.
    Takes about n / rate seconds. Makes a topic and a queue of its own, and deletes them.
    Raises SettingError, BrokerError when a broker refuses an event, NotInTimeError when one does not arrive.

    Built in: notebooks/00_start_here.ipynb, with one order.
    """
    if not orders:
        raise SettingError("There are no orders to send.", "give some: orders=orders.load()")
    bodies = [json.dumps(orders[i % len(orders)].placed_event()).encode() for i in range(n + WARM_UP)]
    config, parameters = brokers.kafka_config(), brokers.rabbitmq_parameters()
    kafka, rabbitmq = Kafka(config, linger_ms), RabbitMQ(parameters)
    with (
        temporary_topics(config, {kafka.topic: 1}),
        temporary_queues(parameters, [rabbitmq.queue], dead_letters=False),
    ):
        try:
            kafka.open()
            rabbitmq.open()
            _drive(kafka, rabbitmq, bodies, rate)
        finally:
            kafka.close()
            rabbitmq.close()
    return _result(_table(kafka.rows + rabbitmq.rows), n, rate, linger_ms, brokers.stamp)


def _drive(kafka: Kafka, rabbitmq: RabbitMQ, bodies: list[bytes], rate: float) -> None:
    """Two senders and two consumers, a thread each. The first error of any of them stops all and is raised here."""
    start = time.perf_counter() + 0.1
    due = latency.due_times(len(bodies), rate)
    kafka.rows = [{"broker": "kafka", "seq": i, "due_s": start + s} for i, s in enumerate(due)]
    rabbitmq.rows = [{"broker": "rabbitmq", "seq": i, "due_s": start + s + 0.5 / rate} for i, s in enumerate(due)]
    seconds = len(bodies) / rate
    deadline_s = start + seconds + patience.seconds(TIMEOUT_S)
    rows = kafka.rows + rabbitmq.rows
    with TaskGroup() as tasks:
        for client in (kafka, rabbitmq):
            tasks.start(client.receive, tasks.done, deadline_s)
            tasks.start(client.send, bodies, tasks.done)
        tasks.wait(
            lambda: all("received_s" in row for row in rows),
            10 * (seconds + TIMEOUT_S),
            "every event has come back",
            every_s=0.05,
        )


def _table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """The rows without the warm-up, times counted from the first event that was due."""
    table = pd.DataFrame(rows)
    table = table[table["seq"] >= WARM_UP].reset_index(drop=True)
    table["seq"] -= WARM_UP
    table[_TIMES] -= table["due_s"].min()
    return table


def _result(deliveries: pd.DataFrame, n: int, rate: float, linger_ms: float, brokers: str) -> Result:
    measures: dict[str, Measure] = {}
    for broker in ("kafka", "rabbitmq"):
        of_broker = latency.milliseconds(deliveries[deliveries["broker"] == broker])
        measures |= {f"{broker}_{name}": measure for name, measure in latency.percentiles(of_broker).items()}
    sentence = (
        f"Half of the events arrived within {measures['kafka_p50']} on Kafka and {measures['rabbitmq_p50']} on "
        f"RabbitMQ; the slowest took {measures['kafka_max']} and {measures['rabbitmq_max']}."
    )
    provenance = {
        "brokers": brokers,
        "queue": "quorum queue",
        "machine": f"one machine, {os.cpu_count()} cores",
        "load": f"{n} events on each, alternating, {rate:g}/s each",
        "settings": f"linger.ms={linger_ms:g}",
        "clients": "confluent-kafka and pika",
    }
    return Result(sentence, deliveries, measures, provenance={k: v for k, v in provenance.items() if v})
