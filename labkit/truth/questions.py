"""What is asked, in the learner's words, and of whom."""

from dataclasses import dataclass
from typing import TypeVar

from labkit.base.errors import SettingError

T = TypeVar("T")


@dataclass(frozen=True)
class Question:
    """slug: its name in programs. text: the question, to be answered with yes or no. about: its place in the grid."""

    slug: str
    text: str
    about: str


@dataclass(frozen=True)
class Backend:
    """slug: its name in programs. name: how a learner calls it. short: the same at the head of a narrow column."""

    slug: str
    name: str
    short: str


QUESTIONS = (
    Question("key_order", "Are events of one key handled in the order in which they were sent?", "order"),
    Question("total_order", "Are events of different keys handled in the order in which they were sent?", "order"),
    Question("two_consumers", "Do two consumers that share the work keep the order of each key?", "order"),
    Question("put_back", "Is the order kept when an event is given back and comes again?", "order"),
    Question("crash", "Does an event come again when its consumer dies before it has acknowledged it?", "reading"),
    Question("replay", "Can a new reader have what others have read and acknowledged?", "reading"),
    Question("slow_reader", "Does a slow service hold up another one that reads the same events?", "reading"),
    Question("nobody", "Is an event kept that was sent before anybody listened?", "sending"),
    Question("unroutable", "Is the sender told when no topic or queue takes its event?", "sending"),
    Question("retry_twice", "Can a sender that tries again put an event in twice?", "sending"),
    Question("large", "Can an event be larger than 1 MB?", "sending"),
    Question("delay", "Can an event be delivered later, at a time that the sender says?", "time"),
    Question("priority", "Can an urgent event overtake others?", "time"),
    Question("expiry", "Can an event vanish unread when its time is over?", "time"),
    Question("kill", "Are confirmed events still there after kill\u00a0-9 of the broker?", "outage"),
)

BACKENDS = (
    Backend("kafka", "Kafka", "Kafka"),
    Backend("rabbitmq-classic", "RabbitMQ classic queue", "classic\nqueue"),
    Backend("rabbitmq-quorum", "RabbitMQ quorum queue", "quorum\nqueue"),
    Backend("rabbitmq-stream", "RabbitMQ stream", "stream"),
    Backend("embedded", "stand-in for Kafka (librdkafka)", "stand-in\nfor Kafka"),
)


def question(slug: str) -> Question:
    """The question of that name. Raises SettingError with the names that there are."""
    return _named(slug, "question", {one.slug: one for one in QUESTIONS})


def backend(slug: str) -> Backend:
    """The backend of that name. Raises SettingError with the names that there are."""
    return _named(slug, "backend", {one.slug: one for one in BACKENDS})


def _named(slug: str, noun: str, known: dict[str, T]) -> T:
    if slug not in known:
        raise SettingError(f"There is no {noun} {slug!r}.", f"one of {', '.join(known)}")
    return known[slug]


def texts() -> dict[str, str]:
    """Every question's name → the question in words, in the order of the table."""
    return {one.slug: one.text for one in QUESTIONS}
