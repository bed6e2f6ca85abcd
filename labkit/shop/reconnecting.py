"""A RabbitMQ channel in an asyncio loop, that comes back when the broker has been away."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pika
from pika.adapters.asyncio_connection import AsyncioConnection
from pika.channel import Channel

_AGAIN_S = 0.3

_log = logging.getLogger(__name__)


class ReconnectingConnection:
    """Keeps one connection with one channel open. on_channel is called with each new channel, on_lost at each loss."""

    def __init__(self, url: str, on_channel: Callable[[Channel], None], on_lost: Callable[[], None]) -> None:
        self._parameters = pika.URLParameters(url)
        self._on_channel, self._on_lost = on_channel, on_lost
        self._closing = self._away = False
        self._connection: AsyncioConnection | None = None

    def open(self) -> None:
        """Connect; goes on in the background, and does not end until `close`."""
        self._loop = asyncio.get_running_loop()
        self._connect()

    def close(self) -> None:
        self._closing = True
        if self._connection and self._connection.is_open:
            self._connection.close()

    def _connect(self) -> None:
        if self._closing:
            return
        self._connection = AsyncioConnection(
            self._parameters,
            on_open_callback=lambda connection: connection.channel(on_open_callback=self._opened),
            on_open_error_callback=self._lost,
            on_close_callback=self._lost,
            custom_ioloop=self._loop,
        )

    def _opened(self, channel: Channel) -> None:
        if self._away:
            _log.warning("rabbitmq: connected again")
            self._away = False
        channel.add_on_close_callback(self._channel_closed)
        self._on_channel(channel)

    def _channel_closed(self, channel: Channel, reason: Exception) -> None:
        """The broker objects to something on the channel. Start over with a new connection."""
        if self._connection and self._connection.is_open and not self._closing:
            _log.warning("rabbitmq: channel closed: %s", reason)
            self._connection.close()

    def _lost(self, connection: Any, reason: Any) -> None:
        if self._closing:
            return
        if not self._away:
            _log.warning("rabbitmq: no connection, will try again: %s", type(reason).__name__)
            self._away = True
        self._on_lost()
        self._loop.call_later(_AGAIN_S, self._connect)
