"""The one who consumes."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pika
from pika.exceptions import AMQPError

from labkit.base.errors import BrokerError
from labkit.brokers.rabbitmq.refusals import refused
from labkit.brokers.rabbitmq.topology import BROKER, connect, declare
from labkit.events.event import Event, EventError
from labkit.events.trace import ACKED, DEAD, FAILED, HANDLED, RECEIVED, Tracer, now_ns


@dataclass(slots=True)
class Received:
    """An event as it came. raw: its bytes. tag: its number on this channel, for the ack.

    redelivered: it was given to a consumer before, and not acknowledged. offset: its place in a stream, else -1.
    """

    event: Event
    raw: bytes
    tag: int
    redelivered: bool
    offset: int = -1


class Consumer:
    """Takes events from one queue, up to `prefetch` of them before the first is acknowledged.

    Every event must be answered: `ack` (done), `nack` (give it out again) or `reject` (to the dead letters). What
    cannot be read is rejected at once: it goes to the queue `<queue>.dead`, bytes untouched. The queue is made when it
    is not there; arguments: its own, as in `declare_queue`. One consumer belongs to one thread.
    offset: for a stream, where to begin: "first", "last", "next" (what comes from now on), a number, a time. A stream
    must be there (`declare_stream`); it gives nothing again and has no dead letters, so `ack` is the only answer.
    Raises BrokerError when RabbitMQ does not answer, or has the queue with other arguments.
    """

    def __init__(
        self,
        parameters: pika.ConnectionParameters,
        queue: str,
        trace: Tracer | None = None,
        who: str = "",
        prefetch: int = 100,
        offset: str | int | datetime | None = None,
        **arguments: Any,
    ) -> None:
        self.connection = connect(parameters)
        self.queue = queue
        self._add = trace.add if trace is not None else None
        self._who = who or queue
        self._stream = offset is not None
        self._begin = {"x-stream-offset": _utc(offset)} if offset is not None else None
        try:
            self.client = self.connection.channel()
            if not self._stream:
                declare(self.client, queue, **arguments)
            self.client.basic_qos(prefetch_count=prefetch)
        except AMQPError as error:
            self.close()
            raise refused(error) from error
        except BaseException:
            self.close()
            raise

    def events(self, idle_s: float = 1.0) -> Iterator[Received]:
        """Events one after the other, until none has come for `idle_s` seconds. Raises BrokerError.

        What was sent to us and not yielded goes back into the queue, in its old place.
        """
        add, who, queue, stream, place = self._add, self._who, self.queue, self._stream, -1
        try:
            for method, properties, body in self.client.consume(
                queue, inactivity_timeout=idle_s, arguments=self._begin
            ):
                if method is None:
                    break
                at = now_ns()
                if stream:
                    place = properties.headers["x-stream-offset"]
                try:
                    event = Event.from_bytes(body)
                except EventError as error:
                    self._bury(method.delivery_tag, error.what, place)
                    continue
                if add:
                    add(RECEIVED, event.subject, event.seq, event.id, queue, place, who, BROKER, event.type, at)
                yield Received(event, body, method.delivery_tag, method.redelivered, place)
        except AMQPError as error:
            raise refused(error) from error
        finally:
            if self.client.is_open:
                with suppress(AMQPError):  # it went away, and has been told of already
                    self.client.cancel()

    def handled(self, received: Received) -> None:
        """Write down that the handler is through."""
        self._row(HANDLED, received, received.event.type)

    def failed(self, received: Received, why: str) -> None:
        """Write down that the handler gave up this time."""
        self._row(FAILED, received, why)

    def ack(self, received: Received) -> None:
        """Done: the queue forgets the event. Raises BrokerError."""
        self._answer(self.client.basic_ack, received.tag)
        self._row(ACKED, received)

    def nack(self, received: Received) -> None:
        """Not done: the queue gives the event out again, to any consumer, marked as redelivered. Raises BrokerError."""
        self._only_a_queue("gives no event again")
        self._answer(self.client.basic_nack, received.tag, requeue=True)

    def reject(self, received: Received, why: str) -> None:
        """It will never be done: to the dead letters. Raises BrokerError."""
        self._only_a_queue("has no dead letters")
        self._answer(self.client.basic_reject, received.tag, requeue=False)
        self._row(DEAD, received, why)

    def _bury(self, tag: int, why: str, place: int) -> None:
        if self._stream:
            self.client.basic_ack(tag)  # it stays where it is; we read on
        else:
            self.client.basic_reject(tag, requeue=False)
        if self._add:
            self._add(DEAD, "", 0, "", self.queue, place, self._who, BROKER, why)

    def _only_a_queue(self, lacks: str) -> None:
        if self._stream:
            raise BrokerError(
                f"The stream {self.queue} {lacks}: it keeps every event, and its readers remember their place.",
                "ack, and publish the event to a queue of your own; or read again: Consumer(…, offset=received.offset)",
            )

    def _answer(self, verb: Any, tag: int, **options: bool) -> None:
        try:
            verb(tag, **options)
        except AMQPError as error:
            raise refused(error) from error

    def _row(self, what: str, received: Received, note: str = "") -> None:
        if self._add:
            event = received.event
            self._add(what, event.subject, event.seq, event.id, self.queue, received.offset, self._who, BROKER, note)

    def close(self) -> None:
        """Close the connection. What was not acknowledged, the queue gives out again."""
        if self.connection.is_open:
            try:
                self.connection.close()
            except AMQPError:  # it went away in this moment
                pass


def _utc(offset: str | int | datetime) -> str | int | datetime:
    """pika takes a time for UTC, whatever its zone says."""
    return offset.astimezone(UTC).replace(tzinfo=None) if isinstance(offset, datetime) else offset
