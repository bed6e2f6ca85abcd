"""Lesson 02: the subscription of `subscribe` on the real brokers. The same orders, the same judge."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from labkit.lessons.publish_and_subscribe.exercises import check_subscribe
from labkit.lessons.publish_and_subscribe.exercises.subscribing import judge, subscribe
from labkit.teach.exercises.exercise import for_real
from labkit.teach.exercises.verdict import Verdict

if TYPE_CHECKING:
    import pika


def on_rabbitmq(answer: Any, parameters: "pika.ConnectionParameters") -> Verdict:
    """The subscription on a real exchange: `exercises.on_rabbitmq(subscribe, lab.rabbitmq_parameters())`.

    Raises BrokerError.
    """
    return for_real(subscribe, answer, "RabbitMQ", lambda: judge(check_subscribe.on_rabbitmq(answer, parameters)))


def on_kafka(answer: Any, config: Mapping[str, Any]) -> Verdict:
    """The names that it returns, as group ids: `exercises.on_kafka(subscribe, lab.kafka_config())`.

    Raises BrokerError.
    """
    return for_real(subscribe, answer, "Kafka", lambda: judge(check_subscribe.on_kafka(answer, config)))
