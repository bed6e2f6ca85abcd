"""The RabbitMQ adapter of a service: it makes a queue of its own, consumes it, and acks what is handled."""

import asyncio
import logging

import pika
from pika.channel import Channel
from pika.spec import Basic

from labkit.brokers.rabbitmq.topology import dead_letters_to
from labkit.chaos.faults import Refused
from labkit.events.event import EventError
from labkit.shop.config import TRIES, Config
from labkit.shop.reconnecting import ReconnectingConnection
from labkit.shop.work import Work

_log = logging.getLogger(__name__)


class RabbitMQAdapter:
    """Runs in the service's event loop, one task a message."""

    def __init__(self, config: Config, work: Work) -> None:
        self.config, self.work = config, work
        self.ready = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._connection = ReconnectingConnection(config.rabbitmq, self._subscribe, self._lost)

    def open(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._connection.open()

    def close(self) -> None:
        self._connection.close()

    def _lost(self) -> None:
        self.ready = False  # what was not acked will be delivered again

    def _subscribe(self, channel: Channel) -> None:
        """Make our queue if it is not there, bind it, consume it. The publisher is not asked."""
        queue, exchange = self.config.queue, self.config.topic
        arguments = {
            "x-queue-type": "quorum",
            **dead_letters_to(self.config.dead),
            "x-delivery-limit": 2 * TRIES,
        }
        channel.queue_declare(queue, durable=True, arguments=arguments)
        channel.queue_bind(queue, exchange)
        channel.basic_qos(prefetch_count=4 * self.config.workers)  # as many as the Kafka adapter takes
        channel.basic_consume(queue, self._take, callback=self._consuming)

    def _consuming(self, _: object) -> None:
        self.ready = True

    def _take(self, channel: Channel, method: Basic.Deliver, properties: pika.BasicProperties, body: bytes) -> None:
        task = self._loop.create_task(self._finish(channel, method, properties, body))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _finish(
        self, channel: Channel, method: Basic.Deliver, properties: pika.BasicProperties, body: bytes
    ) -> None:
        # A quorum queue counts how often it has handed the event out before.
        attempt = int((properties.headers or {}).get("x-delivery-count", 0)) + 1
        tag, queue = method.delivery_tag, self.config.queue
        try:
            event = await self.work.do(body, "rabbitmq", attempt, queue, -1, "rabbitmq")
        except Exception as error:
            if isinstance(error, EventError) or attempt >= TRIES:  # poison: it will not get better
                self._dead_letter(channel, tag, body, error)
                return
            if not isinstance(error, Refused):
                _log.exception("rabbitmq: try %d", attempt)
                await asyncio.sleep(0.1)  # or a broken store would be tried a thousand times a second
            if channel.is_open:
                channel.basic_nack(tag, requeue=True)
        else:
            if channel.is_open:
                channel.basic_ack(tag)
                self.work.acked(event, queue, -1, "rabbitmq")

    def _dead_letter(self, channel: Channel, tag: int, body: bytes, error: Exception) -> None:
        """Refuse the event for good. Its queue moves it to the dead letters, byte for byte."""
        _log.error("rabbitmq: dead letter: %s", error)
        self.work.dead_lettered(body, self.config.queue, -1, "rabbitmq", str(error))
        if channel.is_open:
            channel.basic_reject(tag, requeue=False)
