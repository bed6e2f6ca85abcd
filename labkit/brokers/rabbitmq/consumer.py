"""The one who consumes."""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from time import monotonic
from typing import Any

import pika
from pika.exceptions import AMQPError

from labkit.base.errors import BrokerError
from labkit.brokers.rabbitmq.refusals import refused
from labkit.brokers.rabbitmq.topology import BROKER, connect, declare
from labkit.events.event import Event, EventError
from labkit.events.trace import ACKED, DEAD, FAILED, HANDLED, RECEIVED, Tracer, now_ns

_LOOK_S = 0.002  # for so long `poll` gives out what has come before it looks at the connection again


@dataclass(slots=True)
class Received:
    """An event as it came. raw: its bytes. tag: its number on this channel, for the ack.

    redelivered: it was given to a consumer before, and not acknowledged. offset: its place in a stream, else -1.
    queue: where it came from.
    """

    event: Event
    raw: bytes
    tag: int
    redelivered: bool
    offset: int = -1
    queue: str = ""


class Consumer:
    """Takes events from a queue, up to `prefetch` of them before the first is acknowledged.

    queue: its name; or several names, for `poll`, each with a prefetch of its own. Every event must be answered: `ack`
    (done), `nack` (give it out again) or `reject` (to the dead letters). What cannot be read is rejected at once: it
    goes to the queue `<queue>.dead`, bytes untouched. One consumer belongs to one thread.
    provide: the queue is made when it is not there; arguments: its own, as in `declare_queue`. False: it is there.
    auto_ack: RabbitMQ forgets an event as soon as it has sent it; then there is nothing to answer.
    offset: for a stream, where to begin: "first", "last", "next" (what comes from now on), a number, a time. A stream
    must be there (`declare_stream`); it gives nothing again and has no dead letters, so `ack` is the only answer.
    Raises BrokerError when RabbitMQ does not answer, or has the queue with other arguments.
    """

    def __init__(
        self,
        parameters: pika.ConnectionParameters,
        queue: str | Sequence[str],
        trace: Tracer | None = None,
        who: str = "",
        prefetch: int = 100,
        offset: str | int | datetime | None = None,
        provide: bool = True,
        auto_ack: bool = False,
        **arguments: Any,
    ) -> None:
        self.connection = connect(parameters)
        self.queues = (queue,) if isinstance(queue, str) else tuple(queue)
        self.queue = ", ".join(self.queues)
        self._add = trace.add if trace is not None else None
        self._who = who or self.queue
        self._stream, self._auto_ack = offset is not None, auto_ack
        self._begin = {"x-stream-offset": _utc(offset)} if offset is not None else None
        self._came: deque[Received] = deque()  # for `poll`
        self._polls, self._look_s, self._cancelled = False, 0.0, False
        try:
            self.client = self.connection.channel()
            for name in self.queues if provide and not self._stream else ():
                declare(self.client, name, **arguments)
            self.client.basic_qos(prefetch_count=prefetch)
        except AMQPError as error:
            self.close()
            raise refused(error) from error
        except BaseException:
            self.close()
            raise

    def poll(self, timeout_s: float = 1.0) -> Received | None:
        """The next event, or None when none came in time.

        From the first call on RabbitMQ sends up to `prefetch` events ahead; the trace has them as received when they
        come, not when they are taken. Read with `poll` or with `events`, not with both.
        Raises BrokerError, also when the queue has been deleted and all that came from it is taken.
        """
        came = self._came
        if came and monotonic() < self._look_s:
            return came.popleft()
        end_s = monotonic() + timeout_s
        try:
            if not self._polls:
                self._subscribe()
            while True:
                # Only the channel's own form of it raises what RabbitMQ has closed the channel for.
                self.client._process_data_events(time_limit=0 if came else max(0.0, end_s - monotonic()))
                if came:
                    self._look_s = monotonic() + _LOOK_S
                    return came.popleft()
                if self._cancelled:
                    raise self._deleted()
                if monotonic() >= end_s:
                    return None
        except AMQPError as error:
            raise refused(error) from error

    def _subscribe(self) -> None:
        self._polls = True
        self.client.add_on_cancel_callback(self._cancel)
        for queue in self.queues:
            take = partial(self._take, queue)
            self.client.basic_consume(queue, take, auto_ack=self._auto_ack, arguments=self._begin)

    def _cancel(self, _: Any) -> None:
        self._cancelled = True

    def _take(self, queue: str, _: Any, method: Any, properties: Any, body: bytes) -> None:
        if (received := self._read(queue, method, properties, body)) is not None:
            self._came.append(received)

    def events(self, idle_s: float = 1.0) -> Iterator[Received]:
        """Events one after the other, until none has come for `idle_s` seconds. Raises BrokerError.

        What was sent to us and not yielded goes back into the queue, in its old place.
        """
        read, queue = self._read, self.queue
        try:
            for method, properties, body in self.client.consume(
                queue, self._auto_ack, inactivity_timeout=idle_s, arguments=self._begin
            ):
                if method is None:
                    break
                if (received := read(queue, method, properties, body)) is not None:
                    yield received
            else:
                raise self._deleted()
        except AMQPError as error:
            raise refused(error) from error
        finally:
            if self.client.is_open:
                with suppress(AMQPError):  # it went away, and has been told of already
                    self.client.cancel()

    def _read(self, queue: str, method: Any, properties: Any, body: bytes) -> Received | None:
        at = now_ns()
        place = properties.headers["x-stream-offset"] if self._stream else -1
        try:
            event = Event.from_bytes(body)
        except EventError as error:
            self._bury(queue, method.delivery_tag, error.what, place)
            return None
        if self._add:
            who, note = self._who, event.type
            self._add(RECEIVED, event.subject, event.seq, event.id, queue, place, who, BROKER, note, at)
        return Received(event, body, method.delivery_tag, method.redelivered, place, queue)

    def _deleted(self) -> BrokerError:
        return BrokerError(
            f"RabbitMQ sends nothing more to {self._who}: a queue that it reads was deleted ({self.queue}).",
            "end the consumer before its queue is deleted; or make the queue again (`declare_queue`)",
        )

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

    def _bury(self, queue: str, tag: int, why: str, place: int) -> None:
        if self._stream:
            self.client.basic_ack(tag)  # it stays where it is; we read on
        elif not self._auto_ack:
            self.client.basic_reject(tag, requeue=False)
        if self._add:
            self._add(DEAD, "", 0, "", queue, place, self._who, BROKER, why)

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
            event, queue = received.event, received.queue or self.queue
            self._add(what, event.subject, event.seq, event.id, queue, received.offset, self._who, BROKER, note)

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
