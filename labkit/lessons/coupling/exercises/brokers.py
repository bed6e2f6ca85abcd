"""Lesson 01: the consumer of `react` on the real brokers. The same messages, the same judge."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from labkit.lessons.coupling.exercises.reacting import away, judge, messages, react
from labkit.teach.exercises.exercise import for_real
from labkit.teach.exercises.verdict import Verdict

if TYPE_CHECKING:
    import pika


def on_kafka(answer: Any, config: Mapping[str, Any]) -> Verdict:
    """What the consumer does on a real topic: `exercises.on_kafka(react, lab.kafka_config())`. Raises BrokerError."""
    from labkit.lessons.coupling.exercises import check_brokers

    return for_real(react, answer, "Kafka", lambda: judge(check_brokers.on_kafka(answer, config, messages(), away())))


def on_rabbitmq(answer: Any, parameters: "pika.ConnectionParameters") -> Verdict:
    """The same on a real queue: `exercises.on_rabbitmq(react, lab.rabbitmq_parameters())`. Raises BrokerError."""
    from labkit.lessons.coupling.exercises import check_brokers

    return for_real(
        react, answer, "RabbitMQ", lambda: judge(check_brokers.on_rabbitmq(answer, parameters, messages(), away()))
    )
