"""How checkout publishes: an event is published when its broker has confirmed it, and not before.

Two classes that are called alike and share no code: what differs is what there is to learn.
"""

import asyncio
import logging
import threading
from typing import Any

import pika
from confluent_kafka import KafkaException, Message, Producer
from pika.channel import Channel

from labkit.base.errors import BrokerError
from labkit.events.event import CONTENT_TYPE, Event
from labkit.shop.config import Config
from labkit.shop.rabbitmq_link import Link

PATIENCE_S = 5.0  # how long a broker may take to confirm
# A broker that was away is found again within half a second, not ten; and its absence fills the log less quickly.
RECONNECT = {"reconnect.backoff.ms": 200, "reconnect.backoff.max.ms": 500}

_log = logging.getLogger(__name__)
_CURE = "look at `python -m labkit status`; the customer may try again"


class KafkaPublisher:
    """acks=all, idempotent, no linger: every event leaves at once, and is confirmed when all copies have it."""

    def __init__(self, config: Config) -> None:
        self._topic = config.topic
        self._producer = Producer(
            {
                "logger": _log,
                **RECONNECT,
                **config.kafka,
                "acks": "all",
                "enable.idempotence": True,
                "linger.ms": 0,
                "delivery.timeout.ms": int(PATIENCE_S * 1000),
            }
        )
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


class RabbitMQPublisher:
    """A fanout exchange, publisher confirms, `mandatory`: what no queue takes comes back instead of vanishing."""

    def __init__(self, config: Config) -> None:
        self._exchange = config.topic
        self._channel: Channel | None = None
        # Delivery tag -> the event's id, and whoever waits for its confirm.
        self._waiting: dict[int, tuple[str, asyncio.Future[str | None]]] = {}
        self._link = Link(config.rabbitmq, self._opened, self._lost)
        self._tag = 0

    @property
    def ready(self) -> bool:
        return self._channel is not None

    def open(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._link.open()

    def close(self) -> None:
        self._link.close()

    async def publish(self, event: Event) -> None:
        """Publish, and return when RabbitMQ has it. Raises BrokerError when it does not say so in time."""
        if self._channel is None:
            raise BrokerError("RabbitMQ is not connected.", _CURE)
        properties = pika.BasicProperties(content_type=CONTENT_TYPE, message_id=event.id, delivery_mode=2)
        confirmed = self._loop.create_future()
        self._tag += 1
        self._waiting[self._tag] = event.id, confirmed
        self._channel.basic_publish(self._exchange, event.subject, event.to_bytes(), properties, mandatory=True)
        try:
            error = await asyncio.wait_for(confirmed, PATIENCE_S)
        except TimeoutError:
            error = f"no answer within {PATIENCE_S:g} s"
        if error:
            raise BrokerError(f"RabbitMQ did not confirm the event: {error}.", _CURE)

    def _opened(self, channel: Channel) -> None:
        self._tag = 0
        channel.add_on_return_callback(self._returned)
        channel.confirm_delivery(self._confirmed, callback=lambda _: self._use(channel))

    def _use(self, channel: Channel) -> None:
        self._channel = channel

    def _lost(self) -> None:
        self._channel = None
        waiting, self._waiting = self._waiting, {}
        for _, future in waiting.values():
            _settle(future, "the connection was lost")

    def _confirmed(self, frame: Any) -> None:
        """One confirm can stand for all events up to its tag (`multiple`)."""
        tag, multiple = frame.method.delivery_tag, frame.method.multiple
        error = None if frame.method.NAME == "Basic.Ack" else "it was refused (nack)"
        for each in [t for t in self._waiting if t <= tag] if multiple else [tag]:
            if each in self._waiting:
                _settle(self._waiting.pop(each)[1], error)

    def _returned(self, channel: Channel, method: Any, properties: pika.BasicProperties, body: bytes) -> None:
        """No queue took the event. Its confirm follows; it must not count."""
        _log.error("rabbitmq: returned %s: %s", properties.message_id, method.reply_text)
        for tag, (event_id, future) in list(self._waiting.items()):
            if event_id == properties.message_id:
                del self._waiting[tag]
                _settle(future, f"it came back: {method.reply_text}")


def _settle(future: "asyncio.Future[Any]", outcome: Any) -> None:
    if not future.done():
        future.set_result(outcome)
