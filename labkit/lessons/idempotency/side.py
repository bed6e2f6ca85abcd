"""The broker's side of a run: a topic or a queue with the payments in it, and where the follow-up events go."""

from collections.abc import Mapping, Sequence
from typing import Any

import pika

from labkit.base import names
from labkit.brokers import kafka, rabbitmq
from labkit.events.event import Event
from labkit.events.trace import Trace
from labkit.lessons.idempotency import reading
from labkit.lessons.idempotency.reading import QUEUE_TYPE, KafkaReader, RabbitMQReader


def counts_in(config: Mapping[str, Any], topic: str, isolation_level: str = "read_committed") -> dict[str, int]:
    """order -> events of it in the topic. Raises BrokerError, NotInTimeError."""
    found = kafka.read_all(config, topic, isolation_level=isolation_level)
    return reading.counts(message.value() or b"" for message in found)


class OnKafka:
    """One topic with one partition (`name`), and one for PaymentTaken (`taken`). `close` deletes both."""

    def __init__(self, config: Mapping[str, Any], trace: Trace) -> None:
        self._config, self._trace = config, trace
        self.name = names.fresh("payments")
        self.taken = f"{self.name}.taken"
        self._producer: kafka.Producer | None = None

    def open(self, events: Sequence[Event]) -> None:
        """Make the topics, and put the events there. Raises BrokerError."""
        kafka.create_topics(self._config, {self.name: 1, self.taken: 1})
        self._producer = kafka.Producer(self._config, self._trace, "checkout", linger_ms=1)
        for event in events:
            self._producer.publish(event, self.name)
        self._producer.flush()

    def reader(self, prefetch: int = 20, automatic: bool = False) -> KafkaReader:
        """A consumer that begins where the group's last one has committed."""
        return KafkaReader(self._config, self.name, f"{self.name}.group", self._trace)

    def tell(self, event: Event) -> None:
        """Publish PaymentTaken, and return when it is confirmed."""
        assert self._producer
        self._producer.publish(event.caused("PaymentTaken", "/shop/payment", {}), self.taken)
        self._producer.flush()

    def told(self) -> dict[str, int]:
        """order -> how many PaymentTaken there are."""
        return counts_in(self._config, self.taken)

    def close(self) -> None:
        if self._producer is not None:
            self._producer.client.purge()
        kafka.delete_topics(self._config, [self.name, self.taken])


class OnRabbitMQ:
    """One queue, and one for PaymentTaken. `close` deletes both."""

    def __init__(self, parameters: pika.ConnectionParameters, trace: Trace) -> None:
        self._parameters, self._trace = parameters, trace
        self.name = names.fresh("payments")
        self._told = f"{self.name}.taken"
        self._publisher: rabbitmq.Publisher | None = None

    def open(self, events: Sequence[Event]) -> None:
        """Make the queues, and put the events there. Raises BrokerError."""
        for queue in (self.name, self._told):
            rabbitmq.declare_queue(self._parameters, queue, x_queue_type=QUEUE_TYPE)
        self._publisher = rabbitmq.Publisher(self._parameters, self._trace, "checkout")
        for event in events:
            self._publisher.publish(event, "", self.name)
        self._publisher.flush()

    def reader(self, prefetch: int = 20, automatic: bool = False) -> RabbitMQReader:
        """A new consumer of the queue."""
        return RabbitMQReader(self._parameters, self.name, self._trace, prefetch, automatic)

    def tell(self, event: Event) -> None:
        """Publish PaymentTaken, and return when it is confirmed."""
        assert self._publisher
        self._publisher.publish(event.caused("PaymentTaken", "/shop/payment", {}), "", self._told)
        self._publisher.flush()

    def told(self) -> dict[str, int]:
        """order -> how many PaymentTaken there are."""
        return reading.counts(rabbitmq.drain(self._parameters, self._told))

    def close(self) -> None:
        if self._publisher is not None:
            self._publisher.close()
        rabbitmq.delete(self._parameters, self.name, self._told)
