"""Lesson 03: `bind`, `settle` and `commit` on the real brokers. The same messages, the same judges."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from labkit.lessons.log_and_queue.exercises import binding, check_bind, check_commit, check_settle, committing, settling
from labkit.teach.exercises.exercise import for_real
from labkit.teach.exercises.verdict import Verdict

if TYPE_CHECKING:
    import pika


def bind_on_rabbitmq(answer: Any, parameters: "pika.ConnectionParameters") -> Verdict:
    """The bindings on a real exchange: `exercises.bind_on_rabbitmq(bind, lab.rabbitmq_parameters())`.

    Raises BrokerError.
    """
    return for_real(binding.bind, answer, "RabbitMQ", lambda: binding.judge(check_bind.on_rabbitmq(answer, parameters)))


def settle_on_rabbitmq(answer: Any, parameters: "pika.ConnectionParameters") -> Verdict:
    """The handler on a real queue: `exercises.settle_on_rabbitmq(settle, lab.rabbitmq_parameters())`.

    Raises BrokerError.
    """
    return for_real(
        settling.settle, answer, "RabbitMQ", lambda: settling.judge(check_settle.on_rabbitmq(answer, parameters))
    )


def commit_on_kafka(answer: Any, config: Mapping[str, Any]) -> Verdict:
    """The handler on a real partition: `exercises.commit_on_kafka(commit, lab.kafka_config())`. Raises BrokerError."""
    return for_real(committing.commit, answer, "Kafka", lambda: committing.judge(check_commit.on_kafka(answer, config)))
