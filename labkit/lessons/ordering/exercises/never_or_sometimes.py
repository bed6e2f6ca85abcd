"""Lesson 08, predict: in which settings can an order be handled out of order?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from labkit.teach.exercises.exercise import Exercise, Wrong
from labkit.teach.exercises.verdict import Finding

NEVER, SOMETIMES = "never", "sometimes"


@dataclass(frozen=True)
class _Case:
    """What happens to order in this setting, and why."""

    word: str
    why: str


CASES = {
    "Kafka, no key, 2 consumers": _Case(SOMETIMES, "an order is in several partitions, read by different consumers"),
    "Kafka, key = order, 4 consumers": _Case(NEVER, "an order is in one partition, and a partition has one reader"),
    "Kafka, key = customer, 2 consumers": _Case(NEVER, "an order has one customer, so it is in one partition too"),
    "Kafka, key = event type, 2 consumers": _Case(SOMETIMES, "it keeps payments in order, not one order's life"),
    "Kafka, key = order, 1 consumer, 4 workers": _Case(SOMETIMES, "behind the consumer any worker overtakes another"),
    "Kafka, key = order, two producers, nobody waits": _Case(SOMETIMES, "nobody makes the one wait for the other"),
    "Kafka, key = order, a plain retry topic": _Case(SOMETIMES, "what goes through the retry topic is overtaken"),
    "RabbitMQ, 1 queue, 2 consumers, prefetch 1": _Case(SOMETIMES, "while one works, the other takes the next"),
    "RabbitMQ, 1 queue, 1 consumer, prefetch 10": _Case(NEVER, "one consumer takes them as they come, one by one"),
    "RabbitMQ, 1 queue, 1 of 4 consumers is active": _Case(NEVER, "the other three stand by: it is one consumer"),
    "RabbitMQ, 4 queues by a hash of the order": _Case(NEVER, "an order is in one queue, and that has one consumer"),
    "RabbitMQ, 1 classic queue, 1 consumer, nack with requeue, prefetch 10": _Case(
        SOMETIMES, "those behind it are in the consumer's hands already"
    ),
}  # fmt: skip


def _stub() -> Any:
    return {
        "Kafka, no key, 2 consumers": ...,
        "Kafka, key = order, 4 consumers": ...,
        "Kafka, key = customer, 2 consumers": ...,
        "Kafka, key = event type, 2 consumers": ...,
        "Kafka, key = order, 1 consumer, 4 workers": ...,
        "Kafka, key = order, two producers, nobody waits": ...,
        "Kafka, key = order, a plain retry topic": ...,
        "RabbitMQ, 1 queue, 2 consumers, prefetch 1": ...,
        "RabbitMQ, 1 queue, 1 consumer, prefetch 10": ...,
        "RabbitMQ, 1 queue, 1 of 4 consumers is active": ...,
        "RabbitMQ, 4 queues by a hash of the order": ...,
        "RabbitMQ, 1 classic queue, 1 consumer, nack with requeue, prefetch 10": ...,
    }


def _answer() -> dict[str, str]:
    return {
        "Kafka, no key, 2 consumers": "sometimes",
        "Kafka, key = order, 4 consumers": "never",
        "Kafka, key = customer, 2 consumers": "never",
        "Kafka, key = event type, 2 consumers": "sometimes",
        "Kafka, key = order, 1 consumer, 4 workers": "sometimes",
        "Kafka, key = order, two producers, nobody waits": "sometimes",
        "Kafka, key = order, a plain retry topic": "sometimes",
        "RabbitMQ, 1 queue, 2 consumers, prefetch 1": "sometimes",
        "RabbitMQ, 1 queue, 1 consumer, prefetch 10": "never",
        "RabbitMQ, 1 queue, 1 of 4 consumers is active": "never",
        "RabbitMQ, 4 queues by a hash of the order": "never",
        "RabbitMQ, 1 classic queue, 1 consumer, nack with requeue, prefetch 10": "sometimes",
    }


def _but(words: str, said: str) -> Callable[[], dict[str, str]]:
    """The right answer, but for the settings with these words in them."""
    return lambda: {name: said if words in name else right for name, right in _answer().items()}


def _judge(answer: Callable[..., Any]) -> Sequence[Finding]:
    said = answer()
    if not isinstance(said, dict):
        return [Finding(False, f"Return the dictionary, setting by setting; this is {said!r:.60}.")]
    return [_of_case(name, right, said.get(name, ...)) for name, right in CASES.items()]


def _of_case(name: str, right: _Case, said: Any) -> Finding:
    if said is ...:
        return Finding(False, f"{name}: still open.")
    if said not in (NEVER, SOMETIMES):
        return Finding(False, f'{name}: say "never" or "sometimes", not {said!r:.40}.')
    if said == right.word:
        return Finding(True, f"{name}: {right.word}, for {right.why}.")
    return Finding(False, f"{name}: {right.word}, you said {said}: {right.why}.")


never = Exercise(
    name="out_of_order",
    task='Say of each setting whether an order is handled out of order "never" or "sometimes".',
    stub=_stub,
    answer=_answer,
    judge=_judge,
    hints=(
        "For two events of one order ask twice: can they be in two places, and can two workers work on them at once?",
        "A place is a partition or a queue; a worker is a thread, or a consumer without any. Whatever makes an event "
        "go back, wait or come by another way while its successor goes on has the same effect as a second worker.",
        "Never: key = order, key = customer, one consumer with no retry, the single active one, the hash by order. "
        "All others: sometimes.",
    ),
    wrong=(
        Wrong(_but("event type", NEVER), "any key keeps order", "not one order's life"),
        Wrong(_but("key = customer", SOMETIMES), "only the order itself can be the key", "an order has one customer"),
        Wrong(_but("4 workers", NEVER), "the broker's order is the handler's order", "any worker overtakes another"),
        Wrong(_but("two producers", NEVER), "the log puts producers in order", "nobody makes the one wait"),
        Wrong(_but("2 consumers, prefetch 1", NEVER), "prefetch 1 keeps order", "while one works, the other takes"),
        Wrong(_but("requeue", NEVER), "a requeued message is next", "in the consumer's hands already"),
    ),
)
