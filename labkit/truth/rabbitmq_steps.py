"""The raw RabbitMQ client (pika), with a row for everything that it does, for one type of queue."""

import contextlib
from collections.abc import Iterable
from time import monotonic
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError, ChannelClosedByBroker, NackError, UnroutableError

from labkit.base import patience
from labkit.base.names import fresh
from labkit.brokers.rabbitmq.topology import connect, dashed, delete
from labkit.events.event import Event
from labkit.events.trace import now_ns
from labkit.truth.cases import (
    ACKED,
    CONFIRMED,
    FAILED,
    HANDLED,
    PUBLISHED,
    RECEIVED,
    TIMEOUT_S,
    NoEvidenceError,
    Notes,
)

FIRST_OFFSET = {"x-stream-offset": "first"}


class RabbitSteps(Notes):
    """Queues, exchanges and channels of one set of probes. `close` deletes what was made.

    url: where the broker is. kind: classic, quorum or stream; every queue is of it, unless it says otherwise.
    """

    def __init__(self, url: str, kind: str) -> None:
        super().__init__(f"rabbitmq-{kind}")
        self.url, self.kind = url, kind
        self._connection = connect(pika.URLParameters(url))
        self._queues: list[str] = []
        self._exchanges: list[str] = []

    @property
    def stream(self) -> bool:
        return self.kind == "stream"

    def channel(self, confirm: bool = False, prefetch: int = 0) -> BlockingChannel:
        """A new channel; a stream cannot be read without a prefetch."""
        channel = self._connection.channel()
        if confirm:
            channel.confirm_delivery()
        if prefetch:
            channel.basic_qos(prefetch_count=prefetch)
        return channel

    def queue(self, kind: str = "", **arguments: Any) -> str:
        """A new durable queue. arguments: its own, with `_` for `-`. Raises pika's ChannelClosedByBroker."""
        name = fresh("truth")
        own = {"x-queue-type": kind or self.kind, **dashed(arguments)}
        with self.channel() as channel:
            channel.queue_declare(name, durable=True, arguments=own)
        self._queues.append(name)
        return name

    def exchange(self, kind: str = "fanout") -> str:
        name = fresh("truth")
        with self.channel() as channel:
            channel.exchange_declare(name, kind, durable=True)
        self._exchanges.append(name)
        return name

    def bind(self, queue: str, exchange: str, key: str = "") -> None:
        with self.channel() as channel:
            channel.queue_bind(queue, exchange, key)

    def send(self, queue: str, events: Iterable[Event], note: str = "", exchange: str = "", mandatory: bool = True,
             channel: BlockingChannel | None = None, **properties: Any) -> None:  # fmt: skip
        """Publish each event and wait for its confirm; what is refused has a row that says why. Persistent, unless
        `properties` say otherwise. The row's position when published: the bytes of it."""
        to = channel or self.channel(confirm=True)
        for event in events:
            to = to if to.is_open else self.channel(confirm=True)  # a refusal may close it
            raw = event.to_bytes()
            self.row(PUBLISHED, event, "checkout", note, exchange or queue, len(raw))
            about = pika.BasicProperties(**{"delivery_mode": 2, "message_id": event.id, **properties})
            try:
                to.basic_publish(exchange, queue, raw, about, mandatory)
                self.row(CONFIRMED, event, "checkout", "", exchange or queue)
            except (UnroutableError, NackError, ChannelClosedByBroker) as error:
                self.row(FAILED, event, "checkout", reason(error), exchange or queue)
        if channel is None and to.is_open:
            to.close()

    def read(self, queue: str, who: str, n: int, last: Event | None = None, offset: Any = None,
             within_s: float = TIMEOUT_S) -> list[Event]:  # fmt: skip
        """Read as a new consumer until `n` events or the event `last` have come, handle and acknowledge each.

        offset: where in a stream to begin (default: at its first event). Returns earlier when time is over.
        """
        got: list[Event] = []
        arguments = {"x-stream-offset": "first" if offset is None else offset} if self.stream else {}
        end = monotonic() + patience.seconds(within_s)
        with self.channel(prefetch=10) as channel:
            for method, properties, raw in channel.consume(queue, arguments=arguments, inactivity_timeout=0.2):
                if method is not None:
                    event = Event.from_bytes(raw)
                    got.append(event)
                    self.received(event, raw, properties, who, queue)
                    self.row(HANDLED, event, who)
                    channel.basic_ack(method.delivery_tag)
                    self.row(ACKED, event, who)
                if len(got) >= n or monotonic() >= end or (last and got and got[-1].id == last.id):
                    break
            channel.cancel()
        return got

    def received(
        self, event: Event, raw: bytes, properties: Any, who: str, queue: str, redelivered: bool = False
    ) -> None:
        """A row whose position is the offset in a stream, and for a large event its bytes."""
        offset = int((properties.headers or {}).get("x-stream-offset", -1))
        position = len(raw) if len(raw) > 500_000 else offset
        self.row(RECEIVED, event, who, "redelivered" if redelivered else "", queue, position)

    def oldest(self, queue: str) -> str:
        """The id of the first event in a stream. No row: it is only to see how far the broker is."""
        limit_s = patience.seconds(TIMEOUT_S)
        with self.channel(prefetch=1) as channel:
            for _, properties, _ in channel.consume(queue, arguments=FIRST_OFFSET, inactivity_timeout=limit_s):
                return str(properties.message_id) if properties else ""
        return ""

    def pump(self, within_s: float = 0.05) -> None:
        """Let callbacks of consumers run."""
        self._connection.process_data_events(within_s)

    def until_time(self, at_ns: int) -> None:
        """Let that moment pass, and keep the connection alive meanwhile."""
        end = monotonic() + patience.seconds(TIMEOUT_S)
        while now_ns() < at_ns:
            self.pump(min(0.05, max(0.001, (at_ns - now_ns()) / 1e9)))
            if monotonic() > end:
                raise NoEvidenceError("The moment that was waited for is too far away.", "this is a fault of the probe")

    def hang_up(self) -> None:
        """Close the connection, if the broker has not done so."""
        with contextlib.suppress(AMQPError):
            if self._connection.is_open:
                self._connection.close()

    def connect_again(self) -> None:
        """To a broker that has been away."""
        self.hang_up()
        self._connection = connect(pika.URLParameters(self.url))

    def close(self) -> None:
        """Hang up, and delete what was made. Raises BrokerError."""
        self.hang_up()
        delete(pika.URLParameters(self.url), *self._queues, exchanges=tuple(self._exchanges))


def reason(error: Exception) -> str:
    """RabbitMQ's own word for a refusal: NO_ROUTE, PRECONDITION_FAILED."""
    if isinstance(error, UnroutableError):
        return str(error.messages[0].method.reply_text)
    if isinstance(error, ChannelClosedByBroker):
        return str(error.reply_text).split(" ", maxsplit=1)[0]
    return "nack" if isinstance(error, NackError) else type(error).__name__
