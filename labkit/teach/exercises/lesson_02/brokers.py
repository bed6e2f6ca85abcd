"""Lesson 02: the subscription of `subscribe` on the real brokers. The same orders, the same judge."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from labkit.teach.checks import subscribe as check_subscribe
from labkit.teach.exercises.exercise import for_real
from labkit.teach.exercises.lesson_02.subscribing import judge, subscribe
from labkit.teach.exercises.verdict import Verdict

if TYPE_CHECKING:
    import pika


def on_rabbitmq(answer: Any, parameters: "pika.ConnectionParameters") -> Verdict:
    """The subscription on a real exchange: `lesson_02.on_rabbitmq(subscribe, lab.rabbitmq_parameters())`.

    Raises BrokerError.
    """
    return for_real(subscribe, answer, "RabbitMQ", lambda: judge(check_subscribe.on_rabbitmq(answer, parameters)))


def on_kafka(answer: Any, config: Mapping[str, Any]) -> Verdict:
    """The names that it returns, as group ids: `lesson_02.on_kafka(subscribe, lab.kafka_config())`.

    Raises BrokerError.
    """
    return for_real(subscribe, answer, "Kafka", lambda: judge(check_subscribe.on_kafka(answer, config)))
