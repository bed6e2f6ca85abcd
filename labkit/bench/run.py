"""All benchmarks, one after the other, on the lab's brokers."""

import sys
from itertools import cycle, islice

from labkit import lab
from labkit.bench import kafka, latency, rabbitmq, rows
from labkit.bench.compare import Comparison
from labkit.events.event import Event
from labkit.shop import orders


def everything(rounds: int, quick: bool = False) -> tuple[list[Comparison], str]:
    """All lines of the table, and the brokers they were measured on. quick: sizes that measure nothing."""
    lab.start()
    _say("rows and tables")
    lines = rows.one_row(rounds, 1_000 if quick else 100_000)
    lines += rows.tables(rounds, rows.SIZES[:2] if quick else rows.SIZES)
    config, parameters = lab.kafka_config(), lab.rabbitmq_parameters()
    _say("Kafka, throughput")
    lines += kafka.throughput(config, made(200 if quick else 50_000), rounds)
    _say("RabbitMQ, throughput")
    lines += rabbitmq.throughput(parameters, made(200 if quick else 10_000), rounds)
    paced = made(latency.WARM_UP + (100 if quick else 1_000))
    _say("Kafka, latency")
    lines += latency.kafka_latency(config, paced, rounds)
    _say("RabbitMQ, latency")
    lines += latency.rabbitmq_latency(parameters, paced, rounds)
    return lines, lab.stamp()


def made(n: int) -> list[Event]:
    """`n` OrderPlaced events from the real orders, each with an id of its own."""
    placed = [order.placed_event() for order in orders.load(1_000)]
    return [Event("OrderPlaced", "/shop/checkout", a["subject"], a["data"], seq=1) for a in islice(cycle(placed), n)]


def _say(what: str) -> None:
    print(f"measuring: {what}", file=sys.stderr, flush=True)
