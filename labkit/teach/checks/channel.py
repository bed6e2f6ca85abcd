"""A channel as a learner's function gets it: with names of its own, so that `orders` is nobody else's queue `orders`.

It wraps pika's channel, or the one that stands in for it, and remembers what was declared.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from labkit.teach.checks.answer import Purse

Opener = Callable[[], AbstractContextManager[Any]]  # a connection with a channel, for one process

_NAMED = ("alternate-exchange", "x-dead-letter-exchange")  # arguments that name an exchange


@dataclass(frozen=True)
class DeclaredExchange:
    """kind: topic, direct, fanout, headers. alternate: the exchange that gets what no queue takes; empty: none."""

    kind: str
    alternate: str


@dataclass
class Declared:
    """What a check's answers have made. prefix: before every name. durable: queue -> whether it outlives a restart."""

    prefix: str = ""
    durable: dict[str, bool] = field(default_factory=dict)
    exchanges: dict[str, DeclaredExchange] = field(default_factory=dict)
    purse: Purse = field(default_factory=Purse)

    def real(self, name: str) -> str:
        """The name that the broker knows. What the broker has named itself stays as it is."""
        own = name == "" or name.startswith("amq.") or (self.prefix and name.startswith(self.prefix))
        return name if own else self.prefix + name

    def arguments(self, given: Mapping[str, Any] | None) -> dict[str, Any] | None:
        if given is None:
            return None
        return {key: self.real(value) if key in _NAMED else value for key, value in given.items()}


class NamedChannel:
    """pika's verbs. Names are made fresh on their way; every other verb is passed on."""

    def __init__(self, channel: Any, declared: Declared) -> None:
        self._channel, self._declared = channel, declared

    def exchange_declare(
        self, exchange: str, exchange_type: str = "direct", *rest: Any, arguments: Any = None, **settings: Any
    ) -> Any:
        self._declared.purse.spend()
        name, made = self._declared.real(exchange), self._declared.arguments(arguments)
        answer = self._channel.exchange_declare(name, exchange_type, *rest, arguments=made, **settings)
        kind = getattr(exchange_type, "value", exchange_type)
        self._declared.exchanges[name] = DeclaredExchange(kind, str((made or {}).get("alternate-exchange", "")))
        return answer

    def queue_declare(
        self,
        queue: str,
        passive: bool = False,
        durable: bool = False,
        exclusive: bool = False,
        auto_delete: bool = False,
        arguments: Any = None,
    ) -> Any:
        self._declared.purse.spend()
        made, name = self._declared.arguments(arguments), self._declared.real(queue)
        answer = self._channel.queue_declare(name, passive, durable, exclusive, auto_delete, arguments=made)
        if not passive:
            self._declared.durable[answer.method.queue] = durable
        return answer

    def queue_bind(self, queue: str, exchange: str, routing_key: str | None = None, arguments: Any = None) -> Any:
        self._declared.purse.spend()
        key = queue if routing_key is None else routing_key
        return self._channel.queue_bind(self._declared.real(queue), self._declared.real(exchange), key, arguments)

    def basic_publish(self, exchange: str, routing_key: str, *rest: Any, **settings: Any) -> Any:
        self._declared.purse.spend()
        key = self._declared.real(routing_key) if exchange == "" else routing_key  # there the key is a queue
        return self._channel.basic_publish(self._declared.real(exchange), key, *rest, **settings)

    def basic_get(self, queue: str, *rest: Any, **settings: Any) -> Any:
        return self._channel.basic_get(self._declared.real(queue), *rest, **settings)

    def basic_consume(self, queue: str, *rest: Any, **settings: Any) -> Any:
        return self._channel.basic_consume(self._declared.real(queue), *rest, **settings)

    def __getattr__(self, verb: str) -> Any:
        return getattr(self._channel, verb)


def drained(channel: Any, queue: str) -> list[bytes]:
    """All that is in a queue, taken out of it. channel: pika's, or one that stands in for it."""
    found = []
    while (got := channel.basic_get(queue, auto_ack=True))[0]:
        found.append(got[2])
    return found
