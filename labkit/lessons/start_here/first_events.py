"""Lesson 00: how long does one event take?

The same orders go through both brokers in the same seconds, Kafka and RabbitMQ in turn. Every event is confirmed by
its broker, and each broker has a consumer of its own.
"""

import json
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import Any

import pandas as pd
import pika

from labkit.lessons.start_here.first_events_clients import PATIENCE_S, Kafka, RabbitMQ
from labkit.measure import latency
from labkit.measure.result import Measure, Result
from labkit.shop.orders import Order

WARM_UP = 30  # events before the clock counts: first connections, caches and a producer's id cost once
_TIMES = ["due_s", "published_s", "confirmed_s", "received_s"]


def run(
    kafka_config: Mapping[str, Any],
    rabbitmq_parameters: pika.ConnectionParameters,
    orders: Sequence[Order],
    n: int = 500,
    rate: float = 100.0,
    linger_ms: float = 0.0,
    brokers: str = "",
) -> Result:
    """Send `n` OrderPlaced events through each broker, `rate` a second each, and time every one.

    orders: taken in turn, from the start again when there are fewer than `n`.
    linger_ms: how long Kafka's producer waits for more events before it sends a batch.
    brokers: who they are, for the provenance (`lab.stamp()`).
    Takes about n / rate seconds. Makes a topic and a queue of its own, and deletes them.
    Raises BrokerError when a broker refuses an event, NotInTimeError when one does not arrive.
    """
    if n < 1 or rate <= 0 or not orders:
        raise ValueError("n, rate and the number of orders must be more than 0")
    bodies = [json.dumps(orders[i % len(orders)].placed_event()).encode() for i in range(n + WARM_UP)]
    kafka, rabbitmq = Kafka(kafka_config, linger_ms), RabbitMQ(rabbitmq_parameters)
    try:
        kafka.open()
        rabbitmq.open()
        _drive(kafka, rabbitmq, bodies, rate)
    finally:
        kafka.close()
        rabbitmq.close()
    return _result(_table(kafka.rows + rabbitmq.rows), n, rate, linger_ms, brokers)


def _drive(kafka: Kafka, rabbitmq: RabbitMQ, bodies: list[bytes], rate: float) -> None:
    """Two senders and two consumers, a thread each. The first error of any of them stops all and is raised here."""
    stop = threading.Event()
    start = time.perf_counter() + 0.1
    due = latency.due_times(len(bodies), rate)
    kafka.rows = [{"broker": "kafka", "seq": i, "due_s": start + s} for i, s in enumerate(due)]
    rabbitmq.rows = [{"broker": "rabbitmq", "seq": i, "due_s": start + s + 0.5 / rate} for i, s in enumerate(due)]
    deadline_s = start + len(bodies) / rate + PATIENCE_S
    work: list[Callable[[], None]] = [
        lambda: kafka.send(bodies, stop),
        lambda: kafka.receive(stop, deadline_s),
        lambda: rabbitmq.send(bodies, stop),
        lambda: rabbitmq.receive(stop, deadline_s),
    ]
    with ThreadPoolExecutor(len(work)) as threads:
        try:
            done, _ = wait([threads.submit(job) for job in work], return_when=FIRST_EXCEPTION)
        finally:
            stop.set()  # also when the reader presses "interrupt": no thread may outlive the cell
    for future in done:
        future.result()


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
        "linger": f"linger.ms={linger_ms:g}" if linger_ms else "",
        "clients": "confluent-kafka and pika",
    }
    return Result(sentence, deliveries, measures, provenance={k: v for k, v in provenance.items() if v})
