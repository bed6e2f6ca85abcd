"""The one who publishes."""

import threading
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any, NamedTuple, Self

import pika
from pika.adapters.select_connection import SelectConnection
from pika.channel import Channel

from labkit.base.errors import BrokerError
from labkit.brokers.rabbitmq.confirms import Confirms
from labkit.brokers.rabbitmq.refusals import CURE, cure_unroutable, explained, unroutable
from labkit.brokers.rabbitmq.topology import BROKER, step_timeout_s
from labkit.events.event import CONTENT_TYPE, Event
from labkit.events.trace import CONFIRMED, FAILED, PUBLISHED, Tracer


class _Out(NamedTuple):
    """An event on its way: body, and whom to tell."""

    event: Event
    exchange: str
    routing_key: str
    channel: str
    body: bytes
    on_confirmed: Callable[[str], None] | None


class Publisher:
    """Publishes events, and knows which ones RabbitMQ has confirmed.

    A thread of its own keeps up to `window` events on their way at a time: to wait for each confirm would be many times
    slower. `publish` may be called from any thread; it waits while 10 windows are queued up. Close it, or use a `with`.
    refused: what RabbitMQ did not take, as (event, reason): nobody's queue, a missing exchange, a lost connection.
    Raises BrokerError when RabbitMQ does not answer.
    """

    def __init__(
        self,
        parameters: pika.ConnectionParameters,
        trace: Tracer | None = None,
        who: str = "",
        window: int = 1000,
    ) -> None:
        self.refused: list[tuple[Event, str]] = []
        self._add = trace.add if trace is not None else None
        self._who, self._window = who, window
        self._waiting: deque[_Out] = deque()
        self._confirms = Confirms[_Out](lambda out: out.event.id)
        self._awake = False
        self._limit, self._full = 10 * window, False
        self._changed = threading.Condition()
        self._ready = threading.Event()
        self._dead, self._cure = "", CURE  # why no more can be published
        self._cures: dict[str, str] = {}  # reason -> what to do about it
        self._channel: Channel | None = None
        self._connection = SelectConnection(
            parameters,
            on_open_callback=lambda connection: connection.channel(on_open_callback=self._opened),
            on_open_error_callback=lambda _, error: self._end(f"it does not answer: {error!r}"),
            on_close_callback=lambda _, error: self._end(f"the connection was closed: {error}"),
        )
        self._loop = self._connection.ioloop
        self._thread = threading.Thread(target=self._run, name=f"publish {who}", daemon=True)
        self._thread.start()
        if not self._ready.wait(step_timeout_s()):
            self._dead = self._dead or "it gave no channel in time"
        if self._dead:
            self.close()
            raise BrokerError(f"RabbitMQ cannot be published to: {self._dead}.", self._cure)

    def publish(
        self,
        event: Event,
        exchange: str,
        routing_key: str,
        on_confirmed: Callable[[str], None] | None = None,
    ) -> None:
        """Hand the event to the publishing thread. An event that reaches no queue counts as refused.

        on_confirmed: called in that thread, with "" when RabbitMQ has the event, else with the reason.
        Raises BrokerError when the connection is gone.
        """
        body = event.to_bytes()
        channel = f"{exchange}/{routing_key}" if exchange else routing_key
        if len(self._waiting) >= self._limit:
            self._wait_for_room()
        if self._dead:
            raise BrokerError(f"RabbitMQ cannot be published to: {self._dead}.", self._cure)
        if self._add:
            self._add(PUBLISHED, event.subject, event.seq, event.id, channel, -1, self._who, BROKER, event.type)
        self._waiting.append(_Out(event, exchange, routing_key, channel, body, on_confirmed))
        if not self._awake:
            self._awake = True
            self._loop.add_callback_threadsafe(self._send)

    def _wait_for_room(self) -> None:
        with self._changed:
            while len(self._waiting) >= self._limit and not self._dead:
                self._full = True
                self._changed.wait(0.1)

    def flush(self, timeout_s: float | None = None) -> None:
        """Wait until every event is confirmed. Raises BrokerError when one was refused, or the time is over."""
        timeout_s = step_timeout_s() if timeout_s is None else timeout_s
        end = monotonic() + timeout_s
        with self._changed:
            while (self._waiting or self._confirms.unconfirmed) and not self._dead and (left := end - monotonic()) > 0:
                self._changed.wait(min(left, 0.5))
        if self.refused:
            refused, self.refused = self.refused, []
            event, reason = refused[0]
            many = f"{len(refused)} events" if len(refused) > 1 else "an event"
            cure = self._cures.get(reason, self._cure)
            raise BrokerError(f"RabbitMQ did not take {many}, first {event.type} of {event.subject}: {reason}.", cure)
        if waiting := len(self._waiting) + len(self._confirms.unconfirmed):
            raise BrokerError(f"RabbitMQ has not confirmed {waiting} events within {timeout_s:g} s.", CURE)

    def close(self) -> None:
        """Flush, then close the connection. Raises as `flush`."""
        try:
            if not self._dead:
                self.flush()
        finally:
            self._disconnect()

    def _disconnect(self) -> None:
        if self._thread.is_alive():
            self._loop.add_callback_threadsafe(self._close)
            self._thread.join(step_timeout_s())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """`close`; after an error there is nothing to wait for."""
        if kind is None:
            self.close()
        else:
            self._disconnect()

    # From here on everything runs in the publishing thread.

    def _run(self) -> None:
        try:
            self._loop.start()
        except Exception as error:
            self._fail(f"its thread ended: {error!r}")

    def _opened(self, channel: Channel) -> None:
        self._channel = channel
        channel.add_on_close_callback(lambda _, error: self._channel_closed(error))
        channel.add_on_return_callback(self._came_back)
        channel.confirm_delivery(self._confirmed, callback=lambda _: self._ready.set())

    def _send(self) -> None:
        self._awake = False  # before looking: who adds now wakes us again
        channel, waiting, confirms = self._channel, self._waiting, self._confirms
        on_way = confirms.unconfirmed
        while waiting and len(on_way) < self._window and not self._dead and channel is not None:
            out = waiting.popleft()
            properties = pika.BasicProperties(CONTENT_TYPE, delivery_mode=2, message_id=out.event.id)
            confirms.published(out)
            channel.basic_publish(out.exchange, out.routing_key, out.body, properties, mandatory=True)

    def _confirmed(self, frame: Any) -> None:
        for out, reason in self._confirms.answered(frame.method):
            self._tell(out, reason)
        self._send()
        if not self._confirms.unconfirmed or (self._full and len(self._waiting) < self._limit // 2):
            self._full = False
            with self._changed:
                self._changed.notify_all()

    def _came_back(self, _channel: Channel, method: Any, properties: Any, _body: bytes) -> None:
        place = method.exchange, method.routing_key
        reason = unroutable(*place)
        self._confirms.returned(properties.message_id, reason)
        self._cures[reason] = cure_unroutable(*place)

    def _tell(self, out: _Out, reason: str) -> None:
        event = out.event
        if reason:
            self.refused.append((event, reason))
        if self._add:
            what = FAILED if reason else CONFIRMED
            self._add(what, event.subject, event.seq, event.id, out.channel, -1, self._who, BROKER, reason)
        if out.on_confirmed is not None:
            try:
                out.on_confirmed(reason)
            except Exception as error:  # it would end this thread unseen; `flush` brings it to the caller
                self.refused.append((event, f"its on_confirmed raised {error!r}"))

    def _channel_closed(self, error: Any) -> None:
        why, self._cure = explained(str(getattr(error, "reply_text", "")) or str(error))
        self._fail(f"the channel was closed: {why}")
        if self._connection.is_open:
            self._connection.close()

    def _end(self, why: str) -> None:
        self._fail(why)
        self._loop.stop()

    def _fail(self, why: str) -> None:
        """Whatever is on its way or waits will not arrive, as far as we know: tell."""
        self._dead = self._dead or why
        lost = [*self._confirms.lost(), *self._waiting]
        self._waiting.clear()
        for out in lost:
            self._tell(out, self._dead)
        self._ready.set()
        with self._changed:
            self._changed.notify_all()

    def _close(self) -> None:
        if self._connection.is_open:
            self._connection.close()
        elif not self._connection.is_closing:
            self._loop.stop()
