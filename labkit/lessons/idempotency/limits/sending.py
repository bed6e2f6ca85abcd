"""The sending side: the broker has the event, the confirm gets lost on its way back, and the event is sent again."""

from collections.abc import Sequence
from contextlib import closing
from typing import Annotated

import pandas as pd
import pika
from pika.exceptions import AMQPError

from labkit import lab
from labkit.base import names
from labkit.base.errors import BrokerError
from labkit.brokers import kafka, rabbitmq
from labkit.brokers.rabbitmq.topology import CURE
from labkit.chaos.faults import BEFORE_PUBLISH, Fault, FaultPlan, decide
from labkit.chaos.wire import Wire
from labkit.events.event import Event
from labkit.harness.kinds import Number, OneOf, Seed, Whole
from labkit.harness.settings import experiment
from labkit.lessons.idempotency import reading
from labkit.lessons.idempotency.charging import orders, placed
from labkit.lessons.idempotency.kafka import messages
from labkit.lessons.idempotency.rabbitmq import QUEUE_TYPE
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
    """Publish 100 events one by one through a wire that loses the confirm of some; count what is in the broker.

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
    with kafka.temporary_topics(config, {topic: 1}):
        with (
            Wire(host, int(port), kafka=True) as wire,
            kafka.Producer(
                {**config, "bootstrap.servers": f"{wire.host}:{wire.port}"},
                enable_idempotence=idempotent, linger_ms=0, retry_backoff_ms=5,
                reconnect_backoff_ms=5, reconnect_backoff_max_ms=20,
            ) as producer,
        ):  # fmt: skip
            wire.lose_the_answer_to(unlucky)
            for event in events:
                producer.publish(event, topic)
                producer.flush()
        return reading.counts(messages(config, topic)), wire.lost


def _through_rabbitmq(events: Sequence[Event], unlucky: list[str]) -> tuple[dict[str, int], int]:
    parameters, queue = lab.rabbitmq_parameters(), names.fresh("sent")
    through = lab.rabbitmq_parameters()
    with rabbitmq.temporary_queues(parameters, [queue], dead_letters=False, x_queue_type=QUEUE_TYPE):
        with Wire(parameters.host, parameters.port) as wire:
            through.host, through.port = wire.host, wire.port
            wire.lose_the_answer_to(unlucky)
            with closing(_Line(through)) as line:
                for event in events:
                    line.publish(queue, event)
        return reading.counts(rabbitmq.drain(parameters, queue)), wire.lost


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
    sentence = f"“{sender}”, {lost} of {total} confirms lost: {doubled} events are in the broker twice."
    sentence += f" {missing} are missing." if missing else ""
    provenance = {"broker": lab.brokers(SENDERS[sender]).stamp, "settings": f"{total} events, one by one · {words}"}
    return Result(sentence, pd.DataFrame([row]), measures, pd.DataFrame(), provenance)
