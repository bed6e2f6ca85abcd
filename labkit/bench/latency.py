"""What labkit adds to the latency of an event, at a rate that a shop might have."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pika

from labkit.base.errors import LabError
from labkit.base.names import fresh
from labkit.base.tasks import TaskGroup
from labkit.base.wait import until
from labkit.bench import kafka as bench_kafka
from labkit.bench import rabbitmq as bench_rabbitmq
from labkit.bench.compare import Comparison, in_turn
from labkit.brokers import kafka, rabbitmq
from labkit.brokers.kafka import bare
from labkit.events.event import Event
from labkit.events.trace import Trace

RATE = 500.0
WARM_UP = 50

Percentiles = tuple[float, float]


def kafka_latency(config: Mapping[str, Any], events: Sequence[Event], rounds: int) -> list[Comparison]:
    """p50 and p99 from the intended send to the moment a consumer has the event and its row, in ms."""
    n = len(events) - WARM_UP
    return _lines("Kafka", n, lambda: _kafka(config, events), lambda: _bare_kafka(config, events), rounds)


def rabbitmq_latency(parameters: pika.ConnectionParameters, events: Sequence[Event], rounds: int) -> list[Comparison]:
    """The same for RabbitMQ. Both sides publish from a thread of their own and confirm without waiting."""
    queue = fresh("bench")
    with rabbitmq.temporary_queues(parameters, (queue,)):
        return _lines(
            "RabbitMQ",
            len(events) - WARM_UP,
            lambda: _rabbitmq(parameters, queue, events),
            lambda: _bare_rabbitmq(parameters, queue, events),
            rounds,
        )


def _lines(
    broker: str, n: int, ours: Callable[[], Percentiles], bare: Callable[[], Percentiles], rounds: int
) -> list[Comparison]:
    lines = [Comparison(f"{broker}: {p} at {RATE:g} events/s", "ms", n, higher=False) for p in ("p50", "p99")]
    return in_turn(lines, ours, bare, rounds)


def _kafka(config: Mapping[str, Any], events: Sequence[Event]) -> Percentiles:
    with _topic(config) as topic:
        trace = Trace()
        producer = kafka.Producer(config, trace, "checkout", linger_ms=0)
        consumer = kafka.Consumer(config, fresh("bench"), [topic], trace, "inventory")
        names = (received.event.id for received in consumer.events(idle_s=5))
        try:
            _until_assigned(consumer.client)
            return paced(events, lambda event: producer.publish(event, topic), names, producer.client.poll)
        finally:
            producer.close()
            consumer.close()


def _bare_kafka(config: Mapping[str, Any], events: Sequence[Event]) -> Percentiles:
    with _topic(config) as topic:
        rows: list[Any] = []
        producer = bare.producer(config, **{"linger.ms": 0})
        consumer = bench_kafka.bare_consumer(config, topic)
        send = bench_kafka.bare_sender(producer, topic, rows.append)
        names = (a["id"] for a in bench_kafka.bare_reader(consumer, rows.append, idle_s=5))
        try:
            _until_assigned(consumer)
            return paced(events, lambda event: send(event.to_dict()), names, producer.poll)
        finally:
            producer.flush(10)
            consumer.close()


@contextmanager
def _topic(config: Mapping[str, Any]) -> Iterator[str]:
    # Empty, and read from its beginning: who joins at the end of a topic can miss what is sent in that moment.
    topic = fresh("bench")
    with kafka.temporary_topics(config, {topic: 1}):
        yield topic


def _until_assigned(consumer: Any) -> None:
    until(lambda: kafka.all_assigned([consumer], 1), 15, "the benchmark's consumer has its partition", every_s=0)


def _rabbitmq(parameters: pika.ConnectionParameters, queue: str, events: Sequence[Event]) -> Percentiles:
    trace = Trace()
    publisher = rabbitmq.Publisher(parameters, trace, "checkout")
    consumer = rabbitmq.Consumer(parameters, queue, trace, "inventory")

    def names() -> Iterator[str]:
        for received in consumer.events(idle_s=5):
            consumer.ack(received)
            yield received.event.id

    try:
        return paced(events, lambda event: publisher.publish(event, "", queue), names(), time.sleep)
    finally:
        publisher.close()
        consumer.close()


def _bare_rabbitmq(parameters: pika.ConnectionParameters, queue: str, events: Sequence[Event]) -> Percentiles:
    rows: list[Any] = []
    publisher = bench_rabbitmq.BarePublisher(parameters, queue, [], rows.append)
    with TaskGroup() as tasks, pika.BlockingConnection(parameters) as connection:
        names = (a["id"] for a in bench_rabbitmq.bare_reader(connection.channel(), queue, rows.append))
        tasks.start(publisher.run)
        try:
            tasks.wait(publisher.ready.is_set, 10, "the benchmark's publisher has a channel")
            return paced(events, publisher.send_later, names, time.sleep)
        finally:
            publisher.connection.ioloop.add_callback_threadsafe(publisher.close)


def paced(
    events: Sequence[Event], send: Callable[[Event], None], names: Iterator[str], wait: Callable[[float], Any]
) -> Percentiles:
    """p50 and p99 in ms of `events`, sent at RATE, from the intended moment until `names` yields their ids."""
    arrived: dict[str, float] = {}

    def receive() -> None:
        for name in names:
            arrived[name] = time.perf_counter()
            if len(arrived) == len(events):
                return

    with TaskGroup() as tasks:
        tasks.start(receive)
        start = time.perf_counter() + 0.05
        due = {event.id: start + i / RATE for i, event in enumerate(events)}
        for event in events:
            while (left := due[event.id] - time.perf_counter()) > 0.002:
                wait(left - 0.001)
            if left > 0:
                time.sleep(left)
            send(event)
        tasks.join(30, "every event of the benchmark has arrived")
    if len(arrived) < len(events):
        raise LabError(f"{len(events) - len(arrived)} events of the benchmark did not arrive.", "run it again")
    late = [(arrived[event.id] - due[event.id]) * 1000 for event in events[WARM_UP:]]
    return float(np.percentile(late, 50)), float(np.percentile(late, 99))
