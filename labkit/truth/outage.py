"""Probes that kill a broker: one of their own, never the lab's."""

import os
import signal
from collections.abc import Iterator

from pika.exceptions import AMQPError

from labkit.base import patience, wait
from labkit.base.errors import BrokerError
from labkit.events.trace import Trace, now_ns
from labkit.harness.own_broker import own_broker
from labkit.provision import embedded
from labkit.provision.model import Started
from labkit.truth.cases import KILLED, STARTED, TIMEOUT_S, Case, mark, orders
from labkit.truth.judges import LATE
from labkit.truth.kafka_steps import KafkaSteps
from labkit.truth.rabbitmq_steps import RabbitSteps, reason

N = 20
SETTLED_S = 2.0  # a quorum queue that was declared within the last second before a `kill -9` may be lost
KINDS = ("classic", "quorum", "stream")


def kill(started: Started) -> None:
    """`kill -9` of the broker's first process."""
    os.kill(started.processes[0].pid, signal.SIGKILL)
    wait.until(lambda: not started.processes[0].alive(), TIMEOUT_S, "the broker is dead")


def kafka_kill(kafka: KafkaSteps, started: Started) -> Iterator[Case]:
    topic = kafka.topic()
    kafka.send(topic, orders(N, keys=4))
    kill(started)
    kafka.row(KILLED, who="broker", note="kill -9")
    if started.revive is None:
        with own_broker(embedded.start_kafka) as (again, _):  # it has no data to start on
            after = KafkaSteps(again.running.client, standin=True)
            after.producer().list_topics(topic, timeout=patience.seconds(TIMEOUT_S))
            after.read(topic, LATE, after.stored(topic))
            kafka.trace = Trace([*kafka.trace.rows(), *after.trace.rows()])
        yield kafka.case("started again: everything was in its memory")
        return
    started.revive()
    kafka.row(STARTED, who="broker")
    kafka.read(topic, LATE, N)
    yield kafka.case("acks=all; the broker was started again on its data")


def rabbitmq_kill(started: Started) -> dict[str, list[Case]]:
    """All types of queue die with one broker. The cases of each type."""
    url = started.running.client["url"]
    steps = {kind: RabbitSteps(url, kind) for kind in KINDS}
    queues = {kind: one.queue() for kind, one in steps.items()}
    light, brief = RabbitSteps(url, "classic"), steps["classic"].queue()
    light.until_time(now_ns() + int(SETTLED_S * 1e9))
    light.send(brief, orders(N), delivery_mode=1)
    for kind, one in steps.items():
        one.send(queues[kind], orders(N))
    kill(started)
    for one in (*steps.values(), light):
        one.row(KILLED, who="broker", note="kill -9")
    assert started.revive
    started.revive()
    cases = {}
    for kind, one in steps.items():
        _read_all(one, queues[kind])
        cases[kind] = [one.case(*_WORDS[kind])]
    light.connect_again()
    behind = mark()
    light.send(brief, [behind])
    light.read(brief, LATE, N + 1, behind)
    cases["classic"].append(light.case("events that are not persistent (delivery_mode=1), in the same kind of queue"))
    light.hang_up()
    return cases


_WORDS = {
    "classic": ("persistent events (delivery_mode=2) in a durable queue", "persistent"),
    "quorum": (f"the queue was declared {SETTLED_S:g} s before the first event", ""),
    "stream": (f"the stream was declared {SETTLED_S:g} s before the first event", ""),
}


def _read_all(steps: RabbitSteps, queue: str) -> None:
    """The port opens before all queues are back, and a connection may break once: read until all have come, or time is
    over."""
    end = now_ns() + int(patience.seconds(TIMEOUT_S) * 1e9)
    got: set[str] = set()
    while len(got) < N and now_ns() < end:
        try:
            steps.connect_again()
            got |= {event.id for event in steps.read(queue, LATE, N, within_s=2)}
        except (AMQPError, BrokerError) as error:
            steps.row("not ready", who=LATE, note=reason(error))
    steps.hang_up()
