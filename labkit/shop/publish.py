"""How checkout publishes: an event is published when its broker has confirmed it, and not before.

Two classes that are called alike and share no code: what differs is what there is to learn.
"""

import asyncio
import logging
import threading
from typing import Any, NamedTuple

import pika
from confluent_kafka import KafkaException, Message
from pika.channel import Channel

from labkit.base import patience
from labkit.base.errors import BrokerError
from labkit.brokers.kafka import bare
from labkit.brokers.rabbitmq.confirms import Confirms
from labkit.brokers.rabbitmq.refusals import unroutable
from labkit.events.event import CONTENT_TYPE, Event
from labkit.shop.config import Config
from labkit.shop.reconnecting import ReconnectingConnection

TIMEOUT_S = 5.0  # how long a broker may take to confirm
# A broker that was away is found again within half a second, not ten; and its absence fills the log less quickly.
RECONNECT = {"reconnect.backoff.ms": 200, "reconnect.backoff.max.ms": 500}

_log = logging.getLogger(__name__)
_CURE = "look at `python -m labkit status`; the customer may try again"


class KafkaPublisher:
    """acks=all, idempotent, no linger: every event leaves at once, and is confirmed when all copies have it."""

    def __init__(self, config: Config) -> None:
        self._topic = config.topic
        settings = {"linger.ms": 0, "delivery.timeout.ms": int(patience.seconds(TIMEOUT_S) * 1000)}
        self._producer = bare.producer({**RECONNECT, **config.kafka}, **settings)
        self._stop = threading.Event()
        threading.Thread(target=self._poll, name="kafka confirms", daemon=True).start()

    @property
    def ready(self) -> bool:
        return True  # librdkafka connects by itself, with the first event

    def open(self) -> None:
        self._loop = asyncio.get_running_loop()

    def close(self) -> None:
        self._stop.set()

    async def publish(self, event: Event) -> None:
        """Publish, and return when Kafka has it. Raises BrokerError when it does not say so in time."""
        confirmed = self._loop.create_future()

        def on_delivery(error: Any, message: Message) -> None:  # called in the poll thread
            self._loop.call_soon_threadsafe(_settle, confirmed, error)

        try:
            self._producer.produce(self._topic, event.to_bytes(), event.subject, on_delivery=on_delivery)
        except (KafkaException, BufferError) as error:
            raise BrokerError(f"Kafka's client did not take the event: {error}.", _CURE) from error
        refused = await confirmed
        if refused is not None:
            raise BrokerError(f"Kafka did not confirm the event: {refused.str()}.", _CURE)

    def _poll(self) -> None:
        while not self._stop.is_set():
            self._producer.poll(0.1)


class _Waiting(NamedTuple):
    """An event on its way. confirmed: "" when RabbitMQ has it, else the reason why not."""

    event_id: str
    confirmed: "asyncio.Future[str]"


class RabbitMQPublisher:
    """A fanout exchange, publisher confirms, `mandatory`: what no queue takes comes back instead of vanishing."""

    def __init__(self, config: Config) -> None:
        self._exchange = config.topic
        self._channel: Channel | None = None
        self._confirms = Confirms[_Waiting](lambda waiting: waiting.event_id)
        self._connection = ReconnectingConnection(config.rabbitmq, self._opened, self._lost)

    @property
    def ready(self) -> bool:
        return self._channel is not None

    def open(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._connection.open()

    def close(self) -> None:
        self._connection.close()

    async def publish(self, event: Event) -> None:
        """Publish, and return when RabbitMQ has it. Raises BrokerError when it does not say so in time."""
        if self._channel is None:
            raise BrokerError("RabbitMQ is not connected.", _CURE)
        properties = pika.BasicProperties(content_type=CONTENT_TYPE, message_id=event.id, delivery_mode=2)
        confirmed = self._loop.create_future()
        self._confirms.published(_Waiting(event.id, confirmed))
        self._channel.basic_publish(self._exchange, event.subject, event.to_bytes(), properties, mandatory=True)
        try:
            error = await asyncio.wait_for(confirmed, patience.seconds(TIMEOUT_S))
        except TimeoutError:
            error = f"no answer within {patience.seconds(TIMEOUT_S):g} s"
        if error:
            raise BrokerError(f"RabbitMQ did not confirm the event: {error}.", _CURE)

    def _opened(self, channel: Channel) -> None:
        channel.add_on_return_callback(self._returned)
        channel.confirm_delivery(self._confirmed, callback=lambda _: self._use(channel))

    def _use(self, channel: Channel) -> None:
        self._channel = channel

    def _lost(self) -> None:
        self._channel = None
        for waiting in self._confirms.lost():
            _settle(waiting.confirmed, "the connection was lost")

    def _confirmed(self, frame: Any) -> None:
        for waiting, reason in self._confirms.answered(frame.method):
            _settle(waiting.confirmed, reason)

    def _returned(self, channel: Channel, method: Any, properties: pika.BasicProperties, body: bytes) -> None:
        """No queue took the event."""
        _log.error("rabbitmq: returned %s: %s", properties.message_id, method.reply_text)
        self._confirms.returned(properties.message_id, unroutable(method.exchange, method.routing_key))


def _settle(future: "asyncio.Future[Any]", outcome: Any) -> None:
    if not future.done():
        future.set_result(outcome)
