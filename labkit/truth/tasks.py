"""Who asks what where: which probe answers which question, and which broker it is let loose on."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import TypeVar

from confluent_kafka import KafkaException
from pika.exceptions import AMQPError

from labkit.base.errors import BrokerError, NotInTimeError
from labkit.brokers.rabbitmq.topology import CURE
from labkit.chaos.worker import WorkerError
from labkit.harness.own_broker import own_broker
from labkit.provision import embedded, native_kafka, native_rabbitmq
from labkit.provision.model import Place, Running, Say, Started
from labkit.truth import kafka_reading, kafka_sending, lost_answer, outage, rabbitmq_reading, rabbitmq_sending
from labkit.truth.answer import Answer, judged, not_asked
from labkit.truth.cases import Case, NoEvidenceError, Notes
from labkit.truth.kafka_steps import KafkaSteps
from labkit.truth.rabbitmq_steps import RabbitSteps

Before = Callable[[str, str], None]
"""Called with the question and the backend before each is asked; raises when the run is to end."""
Task = Callable[[Before], list[Answer]]

KAFKA: dict[str, Callable[[KafkaSteps], Iterator[Case]]] = {
    "key_order": kafka_reading.key_order,
    "total_order": kafka_reading.total_order,
    "two_consumers": kafka_reading.two_consumers,
    "put_back": kafka_reading.put_back,
    "crash": kafka_reading.crash,
    "replay": kafka_reading.replay,
    "slow_reader": kafka_reading.slow_reader,
    "nobody": kafka_reading.nobody,
    "unroutable": kafka_sending.unroutable,
    "large": kafka_sending.large,
    "delay": kafka_sending.delay,
    "priority": kafka_sending.priority,
    "expiry": kafka_sending.expiry,
}
KAFKA_OUTAGES: dict[str, Callable[[KafkaSteps, Started], Iterator[Case]]] = {
    "retry_twice": lost_answer.retry_twice,
    "kill": outage.kafka_kill,
}
RABBITMQ: dict[str, Callable[[RabbitSteps], Iterator[Case]]] = {
    "key_order": rabbitmq_reading.key_order,
    "total_order": rabbitmq_reading.total_order,
    "two_consumers": rabbitmq_reading.two_consumers,
    "put_back": rabbitmq_reading.put_back,
    "crash": rabbitmq_reading.crash,
    "replay": rabbitmq_reading.replay,
    "slow_reader": rabbitmq_reading.slow_reader,
    "nobody": rabbitmq_reading.nobody,
    "unroutable": rabbitmq_sending.unroutable,
    "retry_twice": rabbitmq_sending.retry_twice,
    "large": rabbitmq_sending.large,
    "delay": rabbitmq_sending.delay,
    "priority": rabbitmq_sending.priority,
    "expiry": rabbitmq_sending.expiry,
}
H = TypeVar("H", bound=Notes)

STANDIN = "embedded"
STANDINS = 6  # it lets every new group wait three seconds: so there are several of it


def plan(slugs: Sequence[str], names: Sequence[str], there: Mapping[str, Running]) -> list[Task]:
    """Tasks that may run side by side: one a backend, and one for each broker that is to be killed."""
    tasks = list(_kafka(slugs, names, there.get("kafka")))
    rabbitmq = there.get("rabbitmq")
    queues = [name for name in names if name.startswith("rabbitmq-")]
    wanted = [slug for slug in slugs if slug in RABBITMQ]
    for name in queues:
        if rabbitmq is None:
            tasks.append(_refuse(slugs, name, "no RabbitMQ runs here"))
        elif wanted:
            tasks.append(_on_rabbitmq(wanted, name, rabbitmq))
    if queues and rabbitmq is not None and "kill" in slugs:
        if rabbitmq.source == "native":
            tasks.append(_kill_rabbitmq(queues))
        else:
            tasks += [_refuse(["kill"], name, _not_ours(rabbitmq)) for name in queues]
    return tasks


def _kafka(slugs: Sequence[str], names: Sequence[str], kafka: Running | None) -> Iterator[Task]:
    usual = [slug for slug in slugs if slug in KAFKA]
    broken = [slug for slug in slugs if slug in KAFKA_OUTAGES]
    if STANDIN in names:
        yield from (_on_standin(part) for i in range(STANDINS) if (part := usual[i::STANDINS]))
        yield from [_break_kafka(broken, STANDIN, embedded.start_kafka)] if broken else []
    if "kafka" in names:
        yield from _real_kafka(usual, broken, kafka)


def _real_kafka(usual: list[str], broken: list[str], kafka: Running | None) -> Iterator[Task]:
    if kafka is None or kafka.source == "embedded":
        yield _refuse([*usual, *broken], "kafka", "no real Kafka runs here")
        return
    if kafka.source == "external" and "expiry" in usual:
        usual.remove("expiry")
        yield _refuse(["expiry"], "kafka", "a Kafka that is not ours may take minutes to delete what is too old")
    if usual:
        yield lambda before: _ask_kafka(KafkaSteps(kafka.client), "kafka", usual, before)
    if broken and kafka.source == "native":
        yield _break_kafka(broken, "kafka", native_kafka.start)
    elif broken:
        yield _refuse(broken, "kafka", _not_ours(kafka))


def _not_ours(broker: Running) -> str:
    return f"the broker is {broker.source}, and only a native one can be started to be killed"


def _refuse(slugs: Sequence[str], name: str, why: str) -> Task:
    return lambda _: [not_asked(slug, name, why) for slug in slugs]


def _answer(slug: str, steps: H, probe: Callable[[H], Iterator[Case]]) -> Answer:
    """Ask once more when a probe could not see enough. What the clients raise becomes a BrokerError."""
    for again in (True, False):
        try:
            return judged(slug, steps.broker, list(probe(steps)))
        except (NoEvidenceError, NotInTimeError, WorkerError):
            if not again:
                raise
            steps.trace.clear()
        except (KafkaException, AMQPError) as error:
            raise BrokerError(f"{steps.broker} broke off at the question {slug}: {error!r}.", CURE) from error
    raise AssertionError("unreachable")


def _ask_kafka(steps: KafkaSteps, name: str, slugs: Iterable[str], before: Before) -> list[Answer]:
    with closing(steps):
        answers = []
        for slug in slugs:
            before(slug, name)
            answers.append(_answer(slug, steps, KAFKA[slug]))
        return answers


def _on_standin(slugs: Sequence[str]) -> Task:
    def ask(before: Before) -> list[Answer]:
        with own_broker(embedded.start_kafka) as (started, _):
            return _ask_kafka(KafkaSteps(started.running.client, standin=True), STANDIN, slugs, before)

    return ask


def _break_kafka(slugs: Sequence[str], name: str, start: Callable[[Place, Say], Started]) -> Task:
    def ask(before: Before) -> list[Answer]:
        answers = []
        with own_broker(start) as (started, _):
            steps = KafkaSteps(started.running.client, standin=name == STANDIN)
            for slug in sorted(slugs, key="kill".__eq__):  # what is killed last may stay dead
                before(slug, name)
                answers.append(_answer(slug, steps, partial(_with, KAFKA_OUTAGES[slug], started)))
        return answers

    return ask


def _with(
    probe: Callable[[KafkaSteps, Started], Iterator[Case]], started: Started, steps: KafkaSteps
) -> Iterator[Case]:
    return probe(steps, started)


def _on_rabbitmq(slugs: Sequence[str], name: str, rabbitmq: Running) -> Task:
    def ask(before: Before) -> list[Answer]:
        answers = []
        with closing(RabbitSteps(rabbitmq.client["url"], name.partition("-")[2])) as steps:
            for slug in slugs:
                before(slug, name)
                answers.append(_answer(slug, steps, RABBITMQ[slug]))
        return answers

    return ask


def _kill_rabbitmq(names: Sequence[str]) -> Task:
    def ask(before: Before) -> list[Answer]:
        for name in names:
            before("kill", name)
        with own_broker(native_rabbitmq.start) as (started, _):
            cases = outage.rabbitmq_kill(started)
        return [judged("kill", name, cases[name.partition("-")[2]]) for name in names]

    return ask
