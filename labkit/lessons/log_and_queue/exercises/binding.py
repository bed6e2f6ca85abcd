"""Lesson 03, repair: bindings that bring each event where it is wanted, and lose none that nobody wants."""

from collections.abc import Sequence
from typing import Any

from labkit.lessons.log_and_queue.exercises.check_bind import WANTED, Story, on_a_stand_in
from labkit.teach.exercises.exercise import Exercise, Wrong
from labkit.teach.exercises.verdict import Finding


def _stub(channel: Any, exchange: str) -> Any:
    channel.exchange_declare(exchange, "topic")
    for queue in ("germany", "cancelled", "audit", "lost"):
        channel.queue_declare(queue)
        channel.queue_bind(queue, exchange, "#")


def _answer(channel: Any, exchange: str) -> None:
    channel.exchange_declare("nobody", "fanout")
    channel.exchange_declare(exchange, "topic", arguments={"alternate-exchange": "nobody"})
    for queue in ("germany", "cancelled", "audit", "lost"):
        channel.queue_declare(queue)
    channel.queue_bind("germany", exchange, "order.*.de.#")
    channel.queue_bind("cancelled", exchange, "order.cancelled.#")
    channel.queue_bind("audit", exchange, "order.#")
    channel.queue_bind("lost", "nobody")


def _bound(
    channel: Any,
    exchange: str,
    kind: str = "topic",
    germany: str = "order.*.de.#",
    cancelled: str = "order.cancelled.#",
    audit: str = "order.#",
) -> None:
    channel.exchange_declare("nobody", "fanout")
    channel.exchange_declare(exchange, kind, arguments={"alternate-exchange": "nobody"})
    for queue in ("germany", "cancelled", "audit", "lost"):
        channel.queue_declare(queue)
    channel.queue_bind("germany", exchange, germany)
    channel.queue_bind("cancelled", exchange, cancelled)
    channel.queue_bind("audit", exchange, audit)
    channel.queue_bind("lost", "nobody")


def _star_is_many(channel: Any, exchange: str) -> None:
    _bound(channel, exchange, audit="order.*.*")


def _no_german_express(channel: Any, exchange: str) -> None:
    _bound(channel, exchange, germany="order.*.de")


def _three_words(channel: Any, exchange: str) -> None:
    _bound(channel, exchange, cancelled="order.cancelled.*")


def _ends_with_de(channel: Any, exchange: str) -> None:
    _bound(channel, exchange, germany="#.de.#")


def _direct(channel: Any, exchange: str) -> None:
    _bound(channel, exchange, kind="direct")


def _lost_is_unbound(channel: Any, exchange: str, **arguments: str) -> None:
    channel.exchange_declare(exchange, "topic", arguments=arguments)
    for queue, pattern in (("germany", "order.*.de.#"), ("cancelled", "order.cancelled.#"), ("audit", "order.#")):
        channel.queue_declare(queue)
        channel.queue_bind(queue, exchange, pattern)
    channel.queue_declare("lost")


def _catches_all(channel: Any, exchange: str) -> None:
    _lost_is_unbound(channel, exchange)
    channel.queue_bind("lost", exchange, "#")


def _names_a_queue(channel: Any, exchange: str) -> None:
    _lost_is_unbound(channel, exchange, **{"alternate-exchange": "lost"})


def judge(story: Story) -> Sequence[Finding]:
    """Whether each queue holds what it should and nothing else, on whatever broker."""
    if story.kind is None:
        return [Finding(False, "The exchange was not declared: `channel.exchange_declare(exchange, …)`.")]
    return [_queue(story, queue, keys) for queue, keys in WANTED.items()]


def _queue(story: Story, queue: str, keys: Sequence[str]) -> Finding:
    if queue not in story.queues:
        return Finding(False, f"{queue}: there is no such queue.")
    got = story.queues[queue]
    missing = [key for key in keys if key not in got]
    strange = [key for key in got if key not in keys]
    if missing:
        return Finding(False, f"{queue} did not get {_few(missing)}. {_why_missing(story, queue, missing)}")
    if strange:
        return Finding(False, f"{queue} got {_few(strange)} as well. {_why_strange(story, queue, strange)}")
    return Finding(True, f"{queue}: {_few(got)}.")


def _few(keys: Sequence[str]) -> str:
    more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
    return ", ".join(keys[:3]) + more


def _why_missing(story: Story, queue: str, missing: Sequence[str]) -> str:
    if queue != "lost":
        return _PATTERNS if story.kind in ("topic", "fanout") else _NO_PATTERNS.format(kind=story.kind)
    takers = [name for name, keys in story.queues.items() if set(missing) & set(keys)]
    if takers:
        return f"The queue {takers[0]} takes them; nothing is left for the alternate exchange."
    if not story.other:
        return "No queue took them, so RabbitMQ threw them away, and confirmed them all the same."
    if not story.other[1]:
        return f"The alternate exchange is to be {story.other[0]!r}, and there is no exchange of that name."
    return "There is an alternate exchange, and it does not lead to this queue."


def _why_strange(story: Story, queue: str, strange: Sequence[str]) -> str:
    if queue != "lost":
        return "The pattern is too wide."
    if any(set(strange) & set(keys) for name, keys in story.queues.items() if name != queue):
        return "A binding gives it a copy of what others have; it should get only what no queue takes."
    return "No other queue took them: a pattern there is too narrow."


_PATTERNS = "In a pattern `*` is exactly one word, `#` any number of words, also none."
_NO_PATTERNS = "Only a topic exchange reads patterns; to a {kind} exchange `*` is a letter like any other."

bind = Exercise(
    name="bind",
    task="Repair the bindings: germany gets every German order, cancelled what was cancelled, audit all about orders, "
    "and lost what no other queue takes.",
    stub=_stub,
    answer=_answer,
    judge=lambda answer: judge(on_a_stand_in(answer)),
    hints=(
        "Which words of a routing key does each queue care about, and how many words may follow? "
        "And who hears of a key that no pattern matches?",
        "The third argument of `queue_bind` is the pattern: `*` is one word, `#` any number. For lost no pattern "
        'helps: an exchange has an argument for it, {"alternate-exchange": the name of another exchange}.',
        "germany order.*.de.#, cancelled order.cancelled.#, audit order.#. For lost: declare a second exchange, a "
        'fanout; declare the first with arguments={"alternate-exchange": its name}; bind lost to the second.',
    ),
    wrong=(
        Wrong(_star_is_many, "a star stands for the rest of the key", "audit did not get order.placed.fr.express"),
        Wrong(_no_german_express, "the country ends a key", "germany did not get order.placed.de.express"),
        Wrong(_three_words, "a key always has three words", "cancelled did not get order.cancelled.fr.express"),
        Wrong(_ends_with_de, "everything with de in it is a German order", "The pattern is too wide"),
        Wrong(_direct, "every exchange reads patterns", "to a direct exchange"),
        Wrong(_catches_all, "a queue bound with # gets what is left over", "a copy of what others have"),
        Wrong(_names_a_queue, "an alternate exchange may be a queue", "there is no exchange of that name"),
        Wrong(_lost_is_unbound, "what nobody takes waits in the exchange", "RabbitMQ threw them away"),
    ),
)
