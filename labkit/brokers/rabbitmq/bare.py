"""A bare `pika` publisher, for measuring: it keeps a window of messages on their way, and adds nothing to it."""

from typing import Any

import pika
from pika.channel import Channel
from pika.exceptions import ChannelClosedByBroker, ConnectionClosedByClient

from labkit.base.errors import BrokerError
from labkit.brokers.rabbitmq.confirms import Confirms
from labkit.brokers.rabbitmq.topology import CURE, step_timeout_s

WINDOW = 1000  # messages that are on their way at a time


class Window:
    """Up to `window` messages on their way: the callback of each confirm sends the next ones.

    A subclass says what is sent (`send`) and may look at each confirm (`confirmed_now`). It has no thread: `run` is
    pika's loop, and returns when the connection is closed.
    """

    def __init__(self, parameters: pika.ConnectionParameters, window: int = WINDOW) -> None:
        self.window = window
        self.sent = self.confirmed = 0
        self._confirms = Confirms[int]()
        self.trouble = ""
        self.channel: Any = None  # pika types what it hands to callbacks too widely
        self.connection = pika.SelectConnection(
            parameters,
            on_open_callback=lambda connection: connection.channel(on_open_callback=self._opened),
            on_open_error_callback=lambda _, error: self._stop(f"it does not answer: {error!r}"),
            on_close_callback=lambda _, error: self._ended(error),
        )

    def send(self, i: int) -> bool:
        """Publish message number `i`; False: there is none yet, or none any more."""
        raise NotImplementedError

    def begin(self) -> None:
        """The channel is open and confirms are on; the first messages leave after this."""

    def confirmed_now(self, i: int) -> None:
        """Message number `i` is confirmed."""

    def run(self) -> None:
        """Work until the connection is closed. Raises BrokerError when RabbitMQ refused a message, or went silent."""
        self._look_later()
        self.connection.ioloop.start()
        if self.trouble:
            raise BrokerError(f"RabbitMQ did not take all messages: {self.trouble}.", CURE)

    def close(self) -> None:
        """Ask the connection to close; `run` returns soon."""
        if self.connection.is_open:
            self.connection.close()

    def fill(self) -> None:
        """Send as many as the window has room for."""
        while self.sent - self.confirmed < self.window and self.send(self.sent):
            self._confirms.published(self.sent)
            self.sent += 1

    def _opened(self, channel: Channel) -> None:
        self.channel = channel
        channel.add_on_close_callback(lambda _, error: self._closed(error))
        channel.add_on_return_callback(lambda _c, method, _p, _b: self._stop(f"it came back ({method.reply_text})"))
        channel.confirm_delivery(self._told, callback=self._begin)

    def _begin(self, _frame: Any) -> None:
        self.begin()
        self.fill()

    def _told(self, frame: Any) -> None:
        for i, refused in self._confirms.answered(frame.method):
            if refused:
                return self._stop(refused)
            self.confirmed += 1
            self.confirmed_now(i)
        self.fill()

    def _look_later(self) -> None:
        """Once in a while: has anything been confirmed since?"""
        before = self.confirmed

        def look() -> None:
            if self.sent > self.confirmed == before:
                self._stop(f"nothing was confirmed for {step_timeout_s():g} s")
            else:
                self._look_later()

        self.connection.ioloop.call_later(step_timeout_s(), look)

    def _closed(self, error: BaseException) -> None:
        if isinstance(error, ChannelClosedByBroker):
            self._stop(f"the channel was closed: {error}")

    def _ended(self, error: BaseException) -> None:
        if not isinstance(error, ConnectionClosedByClient):
            self.trouble = self.trouble or f"the connection was closed: {error}"
        self.connection.ioloop.stop()

    def _stop(self, why: str) -> None:
        self.trouble = self.trouble or why
        if self.connection.is_open:
            self.connection.close()
        elif not self.connection.is_closing:
            self.connection.ioloop.stop()
