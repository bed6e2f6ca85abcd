"""A Kafka producer whose connection breaks after the broker has its events, and before the answer: it sends again.

The broker, one of our own, is frozen for a moment, so that its answer cannot be quicker than the break.
"""

import json
import os
import signal
import socket
import stat
from collections.abc import Iterator
from typing import Any

from labkit.events.trace import now_ns
from labkit.provision.model import Started
from labkit.truth.cases import FAILED, PATIENCE_S, PUBLISHED, RECEIVED, Case, NoEvidenceError, of, orders
from labkit.truth.judges import LATE
from labkit.truth.kafka_hands import KafkaHands

FROZEN, THAWED = "frozen", "thawed"
ROUNDS = 3
LEAVES_S = 5.0  # how long events may take to leave the client, on a very busy machine


def retry_twice(kafka: KafkaHands, started: Started) -> Iterator[Case]:
    """Until the careless producer has stored one twice, at most ROUNDS times; the idempotent one is tried as often."""
    rounds, doubled = 0, False
    while rounds < ROUNDS and not doubled:
        rounds += _lose_the_answer(kafka, started, idempotent=False)
        rows = tuple(kafka.trace.rows())
        doubled = len(list(of(rows, RECEIVED))) > len(list(of(rows, PUBLISHED)))
    yield kafka.case("enable.idempotence=False", "not idempotent")
    while rounds > 0:
        rounds -= _lose_the_answer(kafka, started, idempotent=True)
    yield kafka.case("enable.idempotence=True: the broker is to know each event's number, and to store it once")


def _lose_the_answer(kafka: KafkaHands, started: Started, idempotent: bool) -> bool:
    """Returns True. Raises NoEvidenceError when the events do not leave the client, try after try."""
    for _ in range(ROUNDS):
        if _try_to_lose_it(kafka, started, idempotent):
            return True
    raise NoEvidenceError("The producer's events did not leave it while Kafka was frozen.", "ask again")


def _try_to_lose_it(kafka: KafkaHands, started: Started, idempotent: bool) -> bool:
    topic, state = kafka.topic(), _State()
    producer = kafka.producer(
        enable_idempotence=idempotent, linger_ms=0, statistics_interval_ms=50, stats_cb=state.read
    )
    first, *rest = orders(5)
    kafka.send(topic, [first], producer=producer, partition=0)  # connected, and known to the broker
    pid = started.processes[0].pid
    os.kill(pid, signal.SIGSTOP)
    try:
        kafka.row(FROZEN, who="broker", note="SIGSTOP")
        for event in rest:
            kafka.hand_over(producer, topic, event, partition=0)
        end = now_ns() + int(LEAVES_S * 1e9)
        while producer.poll(0.05) >= 0 and state.on_their_way < len(rest) and now_ns() < end:
            pass
        lost = state.on_their_way == len(rest) and _cut(int(started.running.address.rpartition(":")[2])) > 0
    finally:
        os.kill(pid, signal.SIGCONT)
        kafka.row(THAWED, who="broker")
    if lost:
        kafka.row(FAILED, who="checkout", note="no answer, sent again")
    producer.flush(PATIENCE_S)
    kafka.read(topic, LATE, kafka.stored(topic))
    return lost


class _State:
    """What librdkafka's statistics tell of one producer. on_their_way: events that were sent, and not answered."""

    on_their_way = 0

    def read(self, statistics: str) -> None:
        brokers: dict[str, Any] = json.loads(statistics)["brokers"]
        self.on_their_way = sum(one["waitresp_msg_cnt"] for one in brokers.values())


def _cut(port: int) -> int:
    """Break this process's connections to that port. How many there were."""
    broken = 0
    for name in os.listdir("/dev/fd"):  # noqa: PTH208  not files: numbers
        try:
            if not stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                continue
            with socket.socket(fileno=os.dup(int(name))) as end:
                if end.family == socket.AF_INET and end.getpeername()[1] == port:
                    end.shutdown(socket.SHUT_RDWR)
                    broken += 1
        except OSError:  # closed meanwhile, or connected to nobody
            continue
    return broken
