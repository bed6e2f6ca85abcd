"""Two small programs of lesson 03: a publisher that is gone, and a reader that is killed before it says "done".

They are bare `confluent_kafka` and bare `pika`. Each is this file, run as a process of its own.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pika
from confluent_kafka import Consumer, Producer

from labkit import lab
from labkit.base.errors import BrokerError
from labkit.events.event import Event

PATIENCE_S = 30.0
SESSION_MS = 1000  # a group misses a member that is silent for so long


def publish(kafka: dict[str, Any], topic: str, rabbitmq: str, queue: str, orders: list[Any]) -> None:
    """The same orders to a Kafka topic and to a RabbitMQ queue; returns when all are confirmed."""
    producer = Producer({**kafka, "acks": "all"})
    for country, placed_ms, body in orders:
        producer.produce(topic, body, key=country, timestamp=placed_ms)
    if producer.flush(PATIENCE_S):
        raise SystemExit("Kafka has not confirmed all orders")
    connection = pika.BlockingConnection(pika.URLParameters(rabbitmq))
    channel = connection.channel()
    channel.confirm_delivery()
    for _, _, body in orders:
        channel.basic_publish("", queue, body, pika.BasicProperties(delivery_mode=2), mandatory=True)
    connection.close()


def take_from_queue(rabbitmq: str, queue: str, n: int) -> list[int]:
    """Take `n` orders from the queue, and ack none."""
    channel = pika.BlockingConnection(pika.URLParameters(rabbitmq)).channel()
    taken = [channel.basic_get(queue) for _ in range(n)]
    return [int(json.loads(body)["sequence"]) for _, _, body in taken]


def take_from_log(kafka: dict[str, Any], group: str, topic: str, n: int) -> list[int]:
    """Read `n` orders as a member of the group, and commit none."""
    mine = {"group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False}
    consumer = Consumer({**kafka, **mine, "session.timeout.ms": SESSION_MS, "heartbeat.interval.ms": 200})
    consumer.subscribe([topic])
    messages = [consumer.poll(PATIENCE_S) for _ in range(n)]
    _keep.append(consumer)  # one that is thrown away leaves its group politely; this one is to be killed
    return [int(json.loads(message.value() or b"")["sequence"]) for message in messages if message]


_keep: list[Any] = []


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
    """Run `publish` in a process of its own, to its end. Raises BrokerError when it failed."""
    rows = [(one.data["country"], int(one.time.timestamp() * 1000), one.to_bytes().decode()) for one in orders]
    process = _start("publish", [lab.kafka_config(), topic, _url(), queue, rows])
    _answer(process)
    process.communicate()
    return Gone(process.pid, 0)


def killed_reader(broker: str, source: str, n: int = 3, group: str = "") -> Gone:
    """Let a process read `n` orders, and kill it (`kill -9`) before it has acked or committed any.

    broker: "kafka" (source: a topic, read by `group`) or "rabbitmq" (source: a queue). Raises BrokerError.
    """
    if broker == "kafka":
        process = _start("take_from_log", [lab.kafka_config(), group, source, n])
    else:
        process = _start("take_from_queue", [_url(), source, n])
    taken = _answer(process)
    process.kill()
    process.communicate()
    return Gone(process.pid, -process.returncode, tuple(taken))


def _url() -> str:
    return next(broker.client["url"] for broker in lab.running() if broker.broker == "rabbitmq")


def _start(what: str, arguments: list[Any]) -> "subprocess.Popen[str]":
    argv = [sys.executable, "-m", __name__, what]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(argv, text=True, **pipes)
    assert process.stdin is not None
    process.stdin.write(json.dumps(arguments) + "\n")  # not in argv, which every user of the machine can read
    process.stdin.flush()
    return process


def _answer(process: "subprocess.Popen[str]") -> list[int]:
    """What the process says when it is through."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        _, trouble = process.communicate()
        raise BrokerError(f"A reader's or publisher's process failed: {trouble.strip()[-300:]}", "run the cell again")
    return list(json.loads(line) or [])


def main(what: str) -> None:
    """The process: one line in, one line out, and then wait until it is killed, or its parent is gone."""
    programs = {"publish": publish, "take_from_queue": take_from_queue, "take_from_log": take_from_log}
    print(json.dumps(programs[what](*json.loads(sys.stdin.readline()))), flush=True)  # type: ignore[operator]
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])
