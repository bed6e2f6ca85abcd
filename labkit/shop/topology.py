"""What the shop needs on the brokers: made before it opens, deleted after it has closed. The names are fresh."""

import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pika
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # exported without saying so
from pika.exceptions import AMQPError

from labkit.base.errors import BrokerError
from labkit.shop.config import SUBSCRIBERS, dead_name, queue_name

PATIENCE_S = 10.0

_log = logging.getLogger(__name__)
_DOCTOR = "look at `python -m labkit doctor`"


class KafkaTopics:
    """Two topics: one for the orders' events, one for dead letters. Each service is a consumer group of its own."""

    def __init__(self, config: Mapping[str, str], topic: str) -> None:
        settings: dict[str, Any] = {"logger": _log, **config}
        self._admin = AdminClient(settings)
        self._topic = topic

    def make(self) -> None:
        topics = [NewTopic(self._topic, 1), NewTopic(dead_name(self._topic), 1)]
        try:
            for future in self._admin.create_topics(topics, request_timeout=PATIENCE_S).values():
                future.result()
        except KafkaException as error:
            raise BrokerError(f"Kafka made no topic: {error.args[0].str()}.", _DOCTOR) from error

    def delete(self) -> None:
        """Delete the topics. Groups without a topic vanish by themselves."""
        topics = [self._topic, dead_name(self._topic)]
        with suppress(KafkaException, TimeoutError):  # a broker that is gone has been reported already
            for future in self._admin.delete_topics(topics, request_timeout=PATIENCE_S).values():
                future.result(PATIENCE_S)


class RabbitMQExchanges:
    """A fanout exchange for the orders' events; and a second one for dead letters, with its queue.

    No subscriber is named here: each makes its own queue, and binds it (`RabbitMQFace`).
    """

    def __init__(self, url: str, topic: str) -> None:
        self._parameters, self._topic = pika.URLParameters(url), topic

    def make(self) -> None:
        dead = dead_name(self._topic)
        try:
            with pika.BlockingConnection(self._parameters) as connection:
                channel = connection.channel()
                for exchange in (self._topic, dead):
                    channel.exchange_declare(exchange, "fanout", durable=True)
                channel.queue_declare(dead, durable=True, arguments={"x-queue-type": "quorum"})
                channel.queue_bind(dead, dead)
        except (AMQPError, OSError) as error:
            raise BrokerError(f"RabbitMQ made no exchanges: {error!r}.", _DOCTOR) from error

    def delete(self) -> None:
        """Delete the exchanges, and the queues of whoever has subscribed."""
        dead = dead_name(self._topic)
        with suppress(AMQPError, OSError), pika.BlockingConnection(self._parameters) as connection:
            channel = connection.channel()
            for queue in [dead, *(queue_name(self._topic, service) for service in SUBSCRIBERS)]:
                channel.queue_delete(queue)
            for exchange in (self._topic, dead):
                channel.exchange_delete(exchange)
