"""Ten events with routing keys, four queues: what is in which when an answer has bound them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from labkit.teach.checks.answer import asked
from labkit.teach.checks.channel import Declared, NamedChannel, Opener, drained
from labkit.teach.checks.exchange import StandIn

if TYPE_CHECKING:
    import pika

Bind = Callable[[Any, str], Any]

EXCHANGE = "shop"
WANTED = {  # queue -> the routing keys it must get
    "germany": ("order.placed.de", "order.cancelled.de", "order.placed.de.express"),
    "cancelled": ("order.cancelled.de", "order.cancelled.fr", "order.cancelled.fr.express"),
    "audit": (
        "order.placed.de",
        "order.placed.fr",
        "order.cancelled.de",
        "order.cancelled.fr",
        "order.shipped.at",
        "order.placed.fr.express",
        "order.placed.de.express",
        "order.cancelled.fr.express",
    ),
    "lost": ("stock.low.de", "oder.placed.de"),
}
KEYS = (*WANTED["audit"], *WANTED["lost"])


@dataclass
class Story:
    """queue -> the routing keys that are in it; a queue that was never declared is not there.

    kind: of the exchange; None when it was not declared. other: its alternate exchange, and whether that exists.
    """

    kind: str | None = None
    other: tuple[str, bool] | None = None
    queues: dict[str, list[str]] = field(default_factory=dict)


def on_a_stand_in(bind: Bind) -> Story:
    """What becomes of the ten on a RabbitMQ made of dictionaries. Raises AnswerError."""
    return try_out(bind, StandIn().channel, Declared())


def on_rabbitmq(bind: Bind, parameters: "pika.ConnectionParameters") -> Story:
    """The same on a real exchange. Raises AnswerError, BrokerError."""
    from labkit.teach.checks.rabbitmq import real_names

    with real_names(parameters) as (opener, declared):
        return try_out(bind, opener, declared)


def try_out(bind: Bind, opener: Opener, declared: Declared) -> Story:
    """Let the answer bind, publish the ten, and look into the queues. Raises AnswerError."""
    with opener() as bare:
        channel = NamedChannel(bare, declared)
        asked(bind, channel, EXCHANGE)
        name = declared.real(EXCHANGE)
        if name not in declared.exchanges:
            return Story()
        story = Story(declared.exchanges[name].kind, _other(declared, name))
        channel.confirm_delivery()
        for key in KEYS:
            channel.basic_publish(EXCHANGE, key, key.encode())
        for queue in WANTED:
            if declared.real(queue) in declared.durable:
                story.queues[queue] = asked(_keys, channel, queue)
        return story


def _other(declared: Declared, name: str) -> tuple[str, bool] | None:
    other = declared.exchanges[name].alternate
    there = other in declared.exchanges or other.startswith("amq.")
    return (other.removeprefix(declared.prefix), there) if other else None


def _keys(channel: NamedChannel, queue: str) -> list[str]:
    return [body.decode() for body in drained(channel, queue)]
