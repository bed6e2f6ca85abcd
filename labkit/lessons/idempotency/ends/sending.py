"""The sending side: the broker has the event, the confirm gets lost on its way back, and the event is sent again."""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Annotated

import confluent_kafka as ck
import pandas as pd
import pika
from pika.exceptions import AMQPError

from labkit import lab
from labkit.base import names
from labkit.base.errors import BrokerError, SettingError
from labkit.brokers import kafka, rabbitmq
from labkit.brokers.kafka.topics import CURE, PATIENCE_S, quiet
from labkit.chaos.faults import BEFORE_PUBLISH, Fault, FaultPlan, decide
from labkit.events.event import Event
from labkit.harness.kinds import Number, OneOf, Seed, Whole
from labkit.harness.settings import experiment
from labkit.lessons.idempotency import counting, outcome
from labkit.lessons.idempotency.charging import orders, placed
from labkit.lessons.idempotency.ends.wire import Wire
from labkit.lessons.idempotency.reading import QUEUE_TYPE
from labkit.measure.result import Measure, Result
from labkit.truth import standin

SENDERS = {
    "Kafka, retries": "kafka",
    "Kafka, idempotent producer": "kafka",
    "RabbitMQ, sent again": "rabbitmq",
}
_TRIES = 5


@experiment
def run(
    sender: Annotated[str, OneOf(tuple(SENDERS))] = "Kafka, retries",
    payments: Annotated[int, Whole(1, 2000)] = 100,
    loss: Annotated[float, Number(0, 1, unit="%")] = 0.1,
    seed: Seed = 1,
) -> Result:
    """Publish 100 events one by one through a wire that loses the confirm of some; count what lies in the broker.

    sender: one of SENDERS. loss: the part of confirms that is lost, chosen by the seed.
    measures: payments, confirms_lost, missing (not in the broker), doubled (there twice or more).
    Raises SettingError, BrokerError; StandInError where a stand-in runs that answers otherwise than Kafka.
    """
    events = placed(orders(payments))
    plan = FaultPlan(seed, before_publish=Fault(refuse=loss))
    unlucky = [one.id for one in events if decide(plan, "checkout", BEFORE_PUBLISH, one.subject).refuse]
    if SENDERS[sender] == "kafka":
        standin.needs("retry_twice")
        found, lost = _through_kafka(events, unlucky, sender == "Kafka, idempotent producer")
    else:
        found, lost = _through_rabbitmq(events, unlucky)
    return _result(sender, found, len(events), lost, f"seed {seed}")


def _through_kafka(events: Sequence[Event], unlucky: list[str], idempotent: bool) -> tuple[dict[str, int], int]:
    """order -> how often it is in the topic; and the number of answers that were lost."""
    config, topic = lab.kafka_config(), names.fresh("sent")
    host, _, port = config["bootstrap.servers"].partition(":")
    if host != "127.0.0.1" or not port.isdecimal():
        raise SettingError("The wire can only stand in front of one Kafka on this machine.", "use the native lab")
    kafka.create_topics(config, {topic: 1})
    try:
        with Wire(host, int(port), unlucky, rewrite=True) as wire:
            _publish(config | {"bootstrap.servers": f"{host}:{wire.port}"}, topic, events, idempotent)
            lost = wire.lost
        return counting.in_topic(config, topic), lost
    finally:
        kafka.delete_topics(config, [topic])


def _publish(config: dict[str, str], topic: str, events: Sequence[Event], idempotent: bool) -> None:
    mine = {"acks": "all", "enable.idempotence": idempotent, "linger.ms": 0, "retry.backoff.ms": 5,
            "reconnect.backoff.ms": 5, "reconnect.backoff.max.ms": 20}  # fmt: skip
    producer = ck.Producer({**quiet(config), **mine})
    refused: list[str] = []
    for event in events:
        producer.produce(topic, event.to_bytes(), event.subject,
                         on_delivery=lambda error, _: refused.append(error.str()) if error else None)  # fmt: skip
        if producer.flush(PATIENCE_S) or refused:
            raise BrokerError(f"Kafka has not confirmed an event: {(refused or ['no answer'])[0]}.", CURE)


def _through_rabbitmq(events: Sequence[Event], unlucky: list[str]) -> tuple[dict[str, int], int]:
    parameters, queue = lab.rabbitmq_parameters(), names.fresh("sent")
    rabbitmq.declare_queue(parameters, queue, x_queue_type=QUEUE_TYPE)
    try:
        with Wire(parameters.host, parameters.port, unlucky) as wire:
            through = lab.rabbitmq_parameters()
            through.host, through.port = "127.0.0.1", wire.port
            with ExitStack() as end:
                line = _Line(through)
                end.callback(line.close)
                for event in events:
                    line.publish(queue, event)
            lost = wire.lost
        return counting.in_queue(parameters, queue), lost
    finally:
        rabbitmq.delete(parameters, queue)


class _Line:
    """A publisher with confirms that does what every careful publisher does: no confirm, so it sends again."""

    def __init__(self, parameters: pika.ConnectionParameters) -> None:
        self._parameters = parameters
        self._connection: pika.BlockingConnection | None = None

    def publish(self, queue: str, event: Event) -> None:
        """Publish, and return when RabbitMQ has confirmed it. Raises BrokerError."""
        for _ in range(_TRIES):
            try:
                if self._connection is None:
                    self._connection = pika.BlockingConnection(self._parameters)
                    self._channel = self._connection.channel()
                    self._channel.confirm_delivery()
                self._channel.basic_publish("", queue, event.to_bytes())
                return
            except AMQPError:
                self._connection = None
        raise BrokerError(f"RabbitMQ has not confirmed {event.subject} in {_TRIES} tries.", CURE)

    def close(self) -> None:
        if self._connection is not None and self._connection.is_open:
            self._connection.close()


def _result(sender: str, found: dict[str, int], total: int, lost: int, words: str) -> Result:
    doubled, missing = sum(times > 1 for times in found.values()), total - len(found)
    row = {"sender": sender, "payments": total, "confirms_lost": lost, "missing": missing, "doubled": doubled}
    measures = {
        "payments": Measure(total, "events"),
        "confirms_lost": Measure(lost, "confirms"),
        "missing": Measure(missing, "events"),
        "doubled": Measure(doubled, "events"),
    }
    sentence = f"“{sender}”, {lost} of {total} confirms lost: {doubled} events lie in the broker twice."
    sentence += f" {missing} are missing." if missing else ""
    provenance = {"broker": outcome.label(SENDERS[sender]), "settings": f"{total} events, one by one · {words}"}
    return Result(sentence, pd.DataFrame([row]), measures, pd.DataFrame(), provenance)
