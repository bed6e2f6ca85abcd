"""Two small programs of lesson 03: a publisher that is gone, and a reader that is killed before it says "done".

They are bare `confluent_kafka` and bare `pika`. Each is a function here, run by a `Worker` as a process of its own.
"""

import json
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pika
from confluent_kafka import Consumer, Producer

from labkit import lab
from labkit.base import patience
from labkit.base.errors import BrokerError
from labkit.chaos.parent import Parent
from labkit.chaos.worker import Worker
from labkit.events.event import Event

TIMEOUT_S = 30.0
SESSION_MS = 1000  # a group misses a member that is silent for so long


def publish(_: Parent, kafka: dict[str, Any], topic: str, rabbitmq: str, queue: str, orders: list[Any]) -> None:
    """The same orders to a Kafka topic and to a RabbitMQ queue; returns when all are confirmed."""
    producer = Producer({**kafka, "acks": "all"})
    for country, placed_ms, body in orders:
        producer.produce(topic, body, key=country, timestamp=placed_ms)
    if producer.flush(TIMEOUT_S):
        raise BrokerError("Kafka has not confirmed all orders.", "run the cell again")
    connection = pika.BlockingConnection(pika.URLParameters(rabbitmq))
    channel = connection.channel()
    channel.confirm_delivery()
    for _, _, body in orders:
        channel.basic_publish("", queue, body, pika.BasicProperties(delivery_mode=2), mandatory=True)
    connection.close()


def take_from_queue(parent: Parent, rabbitmq: str, queue: str, n: int) -> None:
    """Take `n` orders from the queue, and ack none."""
    channel = pika.BlockingConnection(pika.URLParameters(rabbitmq)).channel()
    taken = [channel.basic_get(queue) for _ in range(n)]
    parent.send([int(json.loads(body)["sequence"]) for _, _, body in taken])
    parent.receive()  # here it is killed


def take_from_log(parent: Parent, kafka: dict[str, Any], topic: str, group: str, n: int) -> None:
    """Read `n` orders as a member of the group, and commit none."""
    mine = {"group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False}
    consumer = Consumer({**kafka, **mine, "session.timeout.ms": SESSION_MS, "heartbeat.interval.ms": 200})
    consumer.subscribe([topic])
    messages = [consumer.poll(TIMEOUT_S) for _ in range(n)]
    parent.send([int(json.loads(message.value() or b"")["sequence"]) for message in messages if message])
    parent.receive()  # here it is killed: one that returned would leave its group politely


@dataclass(frozen=True)
class Gone:
    """A process that is no more. taken: the orders it had read. signal: what ended it, 0 when it ended by itself."""

    pid: int
    signal: int
    taken: tuple[int, ...] = ()

    def __repr__(self) -> str:
        how = f"killed by {signal.Signals(self.signal).name}" if self.signal else "ended by itself"
        return f"A process, {how}" + (f"; it had read {list(self.taken)}." if self.taken else ".")


def publisher(topic: str, queue: str, orders: Sequence[Event]) -> Gone:
    """Run `publish` in a process of its own, to its end. Raises BrokerError, WorkerError, NotInTimeError."""
    brokers = lab.brokers()
    rows = [(one.data["country"], int(one.time.timestamp() * 1000), one.to_bytes().decode()) for one in orders]
    with Worker(publish, brokers.kafka_config(), topic, brokers.rabbitmq_url(), queue, rows) as worker:
        return Gone(worker.pid, -worker.wait(patience.seconds(2 * TIMEOUT_S)))


def killed_reader(broker: str, source: str, n: int = 3, group: str = "") -> Gone:
    """Let a process read `n` orders, and kill it (`kill -9`) before it has acked or committed any.

    broker: "kafka" (source: a topic, read by `group`) or "rabbitmq" (source: a queue).
    Raises UnknownBrokerError, BrokerError, WorkerError, NotInTimeError.
    """
    brokers = lab.brokers(broker)
    reader = (
        Worker(take_from_log, brokers.kafka_config(), source, group, n)
        if broker == "kafka"
        else Worker(take_from_queue, brokers.rabbitmq_url(), source, n)
    )
    with reader as worker:
        taken = worker.receive(patience.seconds(2 * TIMEOUT_S))
        worker.kill()
        return Gone(worker.pid, -worker.wait(TIMEOUT_S), tuple(taken))
