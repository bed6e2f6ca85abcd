"""Lesson 08, across services: the shipping service and the listeners of tracking, on Kafka and on RabbitMQ."""

import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import pika

from labkit.base import names
from labkit.base.wait import until
from labkit.brokers import kafka, rabbitmq
from labkit.events.event import Event
from labkit.events.trace import Trace
from labkit.harness.threads import Threads

TRACKING, SHIPPING = "tracking", "/shop/shipping"
_JOIN_S, _POLL_S, _PREFETCH = 20, 0.05, 10


class Reads(Protocol):
    """The tracking service, as far as a listener knows it."""

    trace: Trace
    done: threading.Event

    def take(self, event: Event, channel: str, who: str) -> None: ...

    def fail(self, error: BaseException) -> None: ...


def shipped(event: Event) -> Event | None:
    """What the shipping service has to say: to *packed*, that it is shipped. The one is the cause of the other."""
    return event.caused("OrderShipped", SHIPPING, {}, seq=event.seq + 1) if event.type == "OrderPacked" else None


class _Listeners(Threads):
    """Threads that listen; an error goes to the tracking service. ready: those who listen already."""

    def __init__(self, tracking: Reads) -> None:
        super().__init__(tracking.fail)
        self._done = tracking.done
        self.ready: set[str] = set()

    def wait_until_ready(self) -> None:
        """Until all listen, or one has failed. Raises NotInTimeError."""
        until(lambda: self._done.is_set() or len(self.ready) == len(self), _JOIN_S, "every listener listens")


class Kafka:
    """Two topics (or one), and three consumers: the shipping service, and a listener of tracking for each topic."""

    def __init__(self, config: Mapping[str, Any], tracking: Reads, one_topic: bool) -> None:
        self._config, self._tracking = config, tracking
        self._orders = names.fresh("orders")
        self._shipping = self._orders if one_topic else f"{self._orders}.shipping"
        self._warm = f"{self._orders}.warm"
        self._topics = sorted({self._orders, self._shipping})
        self._listeners = _Listeners(tracking)
        self._shop, self._shipper = (
            kafka.Producer(config, tracking.trace, f"{who}#1", linger_ms=0) for who in ("shop", "shipping")
        )

    def open(self) -> None:
        """Make the topics, start the consumers, wait until each holds its partition."""
        kafka.create_topics(self._config, dict.fromkeys([*self._topics, self._warm], 1))
        for producer in (self._shop, self._shipper):
            # It asks for its id, and that takes half a second: not during the run.
            producer.client.produce(self._warm, b"")
        self._listeners.start(self._read, self._orders, "shipping#1", self._ship)
        for number, topic in enumerate(self._topics, 1):
            who = f"{TRACKING}#{number}"
            self._listeners.start(self._read, topic, who, self._tracking.take)
        for producer in (self._shop, self._shipper):
            producer.flush()
        self._listeners.wait_until_ready()

    def say(self, event: Event) -> None:
        """The shop publishes."""
        self._shop.publish(event, self._orders)

    def _ship(self, event: Event, _: str, __: str) -> None:
        if (effect := shipped(event)) is not None:
            self._shipper.publish(effect, self._shipping)

    def _read(self, topic: str, who: str, take: Callable[[Event, str, str], None]) -> None:
        trace = self._tracking.trace if who.startswith(TRACKING) else None
        consumer = kafka.Consumer(
            self._config, f"{topic}.{who}", [topic], trace, who, fetch_wait_max_ms=20, session_timeout_ms=10_000
        )
        try:
            while not self._tracking.done.is_set():
                received = consumer.poll(_POLL_S)
                if received is None:
                    if consumer.client.assignment():
                        self._listeners.ready.add(who)
                    continue
                take(received.event, f"{topic}/{received.partition}", who)
        finally:
            consumer.close()

    def close(self) -> None:
        """End the consumers, delete the topics."""
        self._listeners.join()
        for producer in (self._shop, self._shipper):
            producer.client.purge()
        kafka.delete_topics(self._config, [*self._topics, self._warm])


class RabbitMQ:
    """One exchange, a queue for the shipping service, and for tracking two queues with a listener each (or one)."""

    def __init__(self, parameters: pika.ConnectionParameters, tracking: Reads, one_topic: bool) -> None:
        self._parameters, self._tracking = parameters, tracking
        self._exchange = names.fresh("orders")
        self._ships = f"{self._exchange}.ships"
        keys = [["shop", "shipping"]] if one_topic else [["shop"], ["shipping"]]
        self._queues = {f"{self._exchange}.{TRACKING}.{number}": mine for number, mine in enumerate(keys, 1)}
        self._listeners = _Listeners(tracking)
        self._publishers: list[rabbitmq.Publisher] = []

    def open(self) -> None:
        """Make exchange and queues, start the consumers, wait until they listen."""
        rabbitmq.declare_exchange(self._parameters, self._exchange, "topic")
        rabbitmq.declare_queue(self._parameters, self._ships, self._exchange, "shop", x_queue_type="classic")
        for queue, keys in self._queues.items():
            for key in keys:
                rabbitmq.declare_queue(self._parameters, queue, self._exchange, key, x_queue_type="classic")
        trace = self._tracking.trace
        self._publishers = [rabbitmq.Publisher(self._parameters, trace, f"{who}#1") for who in ("shop", "shipping")]
        self._listeners.start(self._read, self._ships, "shipping#1", self._ship)
        for number, queue in enumerate(self._queues, 1):
            self._listeners.start(self._read, queue, f"{TRACKING}#{number}", self._tracking.take)
        self._listeners.wait_until_ready()

    def say(self, event: Event) -> None:
        """The shop publishes."""
        self._publishers[0].publish(event, self._exchange, "shop")

    def _ship(self, event: Event, _: str, __: str) -> None:
        if (effect := shipped(event)) is not None:
            self._publishers[1].publish(effect, self._exchange, "shipping")

    def _read(self, queue: str, who: str, take: Callable[[Event, str, str], None]) -> None:
        trace = self._tracking.trace if who.startswith(TRACKING) else None
        consumer = rabbitmq.Consumer(self._parameters, queue, trace, who, prefetch=_PREFETCH, x_queue_type="classic")
        try:
            self._listeners.ready.add(who)  # the queue is there: what comes from now on waits for us
            while not self._tracking.done.is_set():
                for received in consumer.events(_POLL_S):
                    take(received.event, queue, who)
                    consumer.ack(received)
                    if self._tracking.done.is_set():
                        break
        finally:
            consumer.close()

    def close(self) -> None:
        """End the consumers, delete exchange and queues."""
        self._listeners.join()
        for publisher in self._publishers:
            publisher.close()
        rabbitmq.delete(self._parameters, self._ships, *self._queues, exchanges=(self._exchange,))
