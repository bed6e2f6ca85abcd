"""A RabbitMQ made of dictionaries, to try bindings and acknowledgements on. It is a stand-in and says so.

It knows pika's verbs as far as an exercise needs them: exchanges with patterns and an alternate exchange, durable,
exclusive and auto-delete queues, ack, nack, reject, dead letters and a delivery limit. Nothing is sent anywhere.
Endless answers are ended by the coat that it gets for a learner: `channel.NamedChannel`.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from types import SimpleNamespace
from typing import Any

_KINDS = ("topic", "fanout", "direct")
LIMIT = 20  # RabbitMQ 4 hands a message of a quorum queue out again so often, if nobody sets another limit


class RefusedError(RuntimeError):
    """What RabbitMQ would close a channel for."""


@dataclass
class Message:
    """A message in a queue. returned: how often it came back."""

    body: bytes
    routing_key: str
    returned: int = 0


@dataclass
class Queue:
    """Messages that wait. owner: the connection that alone may use it; None: everybody."""

    durable: bool
    auto_delete: bool
    owner: "Channel | None"
    arguments: Mapping[str, Any]
    messages: deque[Message] = field(default_factory=deque)


@dataclass
class Exchange:
    """Bindings: (queue, routing key or pattern)."""

    kind: str
    arguments: Mapping[str, Any]
    bindings: list[tuple[str, str]] = field(default_factory=list)


def matches(pattern: str, key: str) -> bool:
    """Whether a topic exchange lets this routing key through: `*` is one word, `#` any number of them, also none."""
    return _words_match(*(text.split(".") if text else [] for text in (pattern, key)))


def _words_match(pattern: list[str], words: list[str]) -> bool:
    if not pattern:
        return not words
    if pattern[0] == "#":
        return any(_words_match(pattern[1:], words[n:]) for n in range(len(words) + 1))
    return bool(words) and pattern[0] in ("*", words[0]) and _words_match(pattern[1:], words[1:])


class StandIn:
    """The broker. `channel()` is a connection with its channel, for one process."""

    def __init__(self) -> None:
        self.queues: dict[str, Queue] = {}
        self.exchanges = {f"amq.{kind}": Exchange(kind, {}) for kind in _KINDS}
        self._numbers = count(1)

    @contextmanager
    def channel(self) -> Iterator["Channel"]:
        channel = Channel(self)
        try:
            yield channel
        finally:
            channel.close()

    def name(self) -> str:
        return f"amq.gen-{next(self._numbers)}"

    def queue(self, name: str, channel: "Channel") -> Queue:
        if name not in self.queues:
            raise RefusedError(f"NOT_FOUND - no queue '{name}'")
        queue = self.queues[name]
        if queue.owner not in (None, channel):
            raise RefusedError(f"RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '{name}'")
        return queue

    def exchange(self, name: str) -> Exchange:
        if name not in self.exchanges:
            raise RefusedError(f"NOT_FOUND - no exchange '{name}'")
        return self.exchanges[name]

    def publish(self, name: str, message: Message, seen: tuple[str, ...] = ()) -> None:
        """Put a copy into every queue that wants it; what no queue wants goes to the alternate exchange."""
        if name == "":
            targets = {message.routing_key} & self.queues.keys()
        else:
            exchange = self.exchange(name)
            targets = {queue for queue, pattern in exchange.bindings if _wants(exchange.kind, pattern, message)}
            other = str(exchange.arguments.get("alternate-exchange", ""))
            if not targets and other in self.exchanges and other not in seen:
                self.publish(other, message, (*seen, name))
        for target in targets:
            self.queues[target].messages.append(Message(message.body, message.routing_key))

    def dead_letter(self, queue: Queue, message: Message) -> None:
        """To the queue's dead letters, if it has any."""
        exchange = queue.arguments.get("x-dead-letter-exchange")
        if exchange is not None:
            key = queue.arguments.get("x-dead-letter-routing-key", message.routing_key)
            self.publish(exchange, Message(message.body, key))

    def delete(self, name: str) -> None:
        self.queues.pop(name, None)
        for exchange in self.exchanges.values():
            exchange.bindings = [one for one in exchange.bindings if one[0] != name]


def _wants(kind: str, pattern: str, message: Message) -> bool:
    if kind == "fanout":
        return True
    return matches(pattern, message.routing_key) if kind == "topic" else pattern == message.routing_key


class Channel:
    """pika's BlockingChannel, as far as an exercise needs it. Raises RefusedError where RabbitMQ would close it."""

    def __init__(self, broker: StandIn) -> None:
        self._broker = broker
        self._open: dict[int, tuple[Queue, Message]] = {}
        self._reading: set[str] = set()
        self._tags = count(1)

    def exchange_declare(
        self,
        exchange: str,
        exchange_type: str = "direct",
        passive: bool = False,
        durable: bool = False,
        auto_delete: bool = False,
        internal: bool = False,
        arguments: Any = None,
    ) -> None:
        new = Exchange(getattr(exchange_type, "value", exchange_type), dict(arguments or {}))
        if new.kind not in _KINDS:
            raise RefusedError(f"COMMAND_INVALID - unknown exchange type '{new.kind}'")
        there = self._broker.exchanges.setdefault(exchange, new)
        if (there.kind, there.arguments) != (new.kind, new.arguments):
            raise RefusedError(f"PRECONDITION_FAILED - exchange '{exchange}' is there already, and different")

    def queue_declare(
        self,
        queue: str,
        passive: bool = False,
        durable: bool = False,
        exclusive: bool = False,
        auto_delete: bool = False,
        arguments: Any = None,
    ) -> SimpleNamespace:
        name = queue or self._broker.name()
        if name not in self._broker.queues and not passive:
            owner = self if exclusive else None
            self._broker.queues[name] = Queue(durable, auto_delete, owner, dict(arguments or {}))
        there = self._broker.queue(name, self)
        mine = (durable, auto_delete, dict(arguments or {}))
        if not passive and mine != (there.durable, there.auto_delete, there.arguments):
            raise RefusedError(f"PRECONDITION_FAILED - queue '{name}' is there already, and different")
        return SimpleNamespace(method=SimpleNamespace(queue=name, message_count=len(there.messages)))

    def queue_bind(self, queue: str, exchange: str, routing_key: str | None = None, arguments: Any = None) -> None:
        self._broker.queue(queue, self)
        bindings = self._broker.exchange(exchange).bindings
        binding = (queue, queue if routing_key is None else routing_key)  # so does pika
        if binding not in bindings:
            bindings.append(binding)

    def basic_publish(self, exchange: str, routing_key: str, body: bytes | str, *rest: Any, **settings: Any) -> None:
        self._broker.publish(exchange, Message(body.encode() if isinstance(body, str) else body, routing_key))

    def basic_get(self, queue: str, auto_ack: bool = False) -> tuple[Any, Any, Any]:
        there = self._broker.queue(queue, self)
        if not there.messages:
            return None, None, None
        message, tag = there.messages.popleft(), next(self._tags)
        if not auto_ack:
            self._open[tag] = (there, message)
        method = SimpleNamespace(
            delivery_tag=tag, redelivered=message.returned > 0, routing_key=message.routing_key, exchange=""
        )
        return method, SimpleNamespace(headers={"x-delivery-count": message.returned}), message.body

    def basic_consume(self, queue: str, *rest: Any, **settings: Any) -> str:
        """Notes that the queue has a consumer. It is handed nothing."""
        self._broker.queue(queue, self)
        self._reading.add(queue)
        return queue

    def basic_cancel(self, consumer_tag: str) -> None:
        self._reading.discard(consumer_tag)

    def basic_ack(self, delivery_tag: int = 0, multiple: bool = False) -> None:
        for tag in [one for one in self._open if multiple and one < delivery_tag]:
            self._settled(tag)
        self._settled(delivery_tag)

    def basic_nack(self, delivery_tag: int = 0, multiple: bool = False, requeue: bool = True) -> None:
        queue, message = self._settled(delivery_tag)
        message.returned += 1
        if requeue and message.returned <= queue.arguments.get("x-delivery-limit", LIMIT):
            queue.messages.appendleft(message)
        else:
            self._broker.dead_letter(queue, message)

    def basic_reject(self, delivery_tag: int = 0, requeue: bool = True) -> None:
        self.basic_nack(delivery_tag, requeue=requeue)

    def basic_qos(self, *rest: Any, **settings: Any) -> None:
        """Nothing to do: it hands out one at a time."""

    def confirm_delivery(self) -> None:
        """Nothing to do: what it takes it has."""

    def close(self) -> None:
        """The connection has gone: what was not settled comes back, exclusive and auto-delete queues go."""
        for queue, message in reversed(self._open.values()):
            message.returned += 1
            queue.messages.appendleft(message)
        for name, queue in list(self._broker.queues.items()):
            if queue.owner is self or (queue.auto_delete and name in self._reading):
                self._broker.delete(name)

    def _settled(self, tag: int) -> tuple[Queue, Message]:
        if tag not in self._open:
            raise RefusedError(f"PRECONDITION_FAILED - unknown delivery tag {tag}: settled already?")
        return self._open.pop(tag)
