"""What the shop needs on the brokers: made before it opens, deleted after it has closed. The names are fresh."""

from collections.abc import Mapping
from contextlib import suppress

import pika

from labkit.base.errors import BrokerError
from labkit.brokers import kafka, rabbitmq
from labkit.brokers.dead_letters import dead_name
from labkit.brokers.rabbitmq import topology
from labkit.shop.config import SUBSCRIBERS, queue_name


class KafkaTopics:
    """Two topics: one for the orders' events, one for dead letters. Each service is a consumer group of its own."""

    def __init__(self, config: Mapping[str, str], topic: str) -> None:
        self._config, self._topics = config, (topic, dead_name(topic))

    def make(self) -> None:
        """Raises BrokerError."""
        kafka.create_topics(self._config, dict.fromkeys(self._topics, 1))

    def delete(self) -> None:
        """Delete the topics. Groups without a topic vanish by themselves."""
        with suppress(BrokerError):  # a broker that is gone has been reported already
            kafka.delete_topics(self._config, self._topics)


class RabbitMQExchanges:
    """A fanout exchange for the orders' events, and a queue for dead letters.

    No subscriber is named here: each makes its own queue, and binds it (`RabbitMQAdapter`).
    """

    def __init__(self, url: str, topic: str) -> None:
        self._parameters, self._topic = pika.URLParameters(url), topic

    def make(self) -> None:
        """Raises BrokerError."""
        with topology.channel(self._parameters) as channel:
            channel.exchange_declare(self._topic, "fanout", durable=True)
            channel.queue_declare(dead_name(self._topic), durable=True, arguments={"x-queue-type": "quorum"})

    def delete(self) -> None:
        """Delete the exchange, the dead letters, and the queues of whoever has subscribed."""
        queues = (queue_name(self._topic, service) for service in SUBSCRIBERS)
        with suppress(BrokerError):
            rabbitmq.delete(self._parameters, dead_name(self._topic), *queues, exchanges=(self._topic,))
