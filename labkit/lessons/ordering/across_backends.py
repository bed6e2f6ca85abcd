"""Lesson 08, across services: the shipping service and the listeners of tracking, on Kafka and on RabbitMQ."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from labkit.base import names
from labkit.base.tasks import TaskGroup
from labkit.brokers import kafka, rabbitmq
from labkit.events.event import Event
from labkit.events.trace import Trace
from labkit.lab import Brokers

TRACKING, SHIPPING = "tracking", "/shop/shipping"
Say = Callable[[Event], None]


class Reads(Protocol):
    """The tracking service, as far as a listener knows it."""

    trace: Trace
    tasks: TaskGroup

    def take(self, event: Event, channel: str, who: str) -> None: ...


def shipped(event: Event) -> Event | None:
    """What the shipping service has to say: to *packed*, that it is shipped. The one is the cause of the other."""
    return event.caused("OrderShipped", SHIPPING, {}, seq=event.seq + 1) if event.type == "OrderPacked" else None


@contextmanager
def on_kafka(brokers: Brokers, tracking: Reads, one_topic: bool) -> Iterator[Say]:
    """Two topics (or one), and three consumers: the shipping service, and a listener of tracking for each topic."""
    config, orders, trace = brokers.kafka_config(), names.fresh("orders"), tracking.trace
    topics = [orders] if one_topic else [orders, f"{orders}.shipping"]
    with (
        kafka.temporary_topics(config, dict.fromkeys(topics, 1)),
        kafka.Producer(config, trace, "shop#1", linger_ms=0) as shop,
        kafka.Producer(config, trace, "shipping#1", linger_ms=0) as shipper,
        tracking.tasks as tasks,
    ):

        def ship(received: kafka.Received, _: kafka.Consumer) -> None:
            if (effect := shipped(received.event)) is not None:
                shipper.publish(effect, topics[-1])

        def listen(topic: str, who: str) -> kafka.Listener:
            def take(received: kafka.Received, _: kafka.Consumer) -> None:
                tracking.take(received.event, f"{topic}/{received.partition}", who)

            return kafka.Listener(tasks, config, f"{topic}.{who}", topic, take, trace, who, fetch_wait_max_ms=20)

        listeners = [listen(topic, f"{TRACKING}#{number}") for number, topic in enumerate(topics, 1)]
        listeners.append(kafka.Listener(tasks, config, f"{orders}.ships", orders, ship, fetch_wait_max_ms=20))
        kafka.warm_up(config, shop, shipper)
        kafka.wait_until_assigned(tasks, *listeners)
        yield lambda event: shop.publish(event, orders)


@contextmanager
def on_rabbitmq(brokers: Brokers, tracking: Reads, one_queue: bool) -> Iterator[Say]:
    """One exchange, a queue for the shipping service, and for tracking two queues with a listener each (or one)."""
    parameters, orders, trace = brokers.rabbitmq_parameters(), names.fresh("orders"), tracking.trace
    keys = [["shop", "shipping"]] if one_queue else [["shop"], ["shipping"]]
    queues = {f"{orders}.{TRACKING}.{number}": mine for number, mine in enumerate(keys, 1)}
    ships = f"{orders}.ships"
    with (
        rabbitmq.temporary_queues(parameters, {ships: ["shop"], **queues}, orders, x_queue_type="classic"),
        rabbitmq.Publisher(parameters, trace, "shop#1") as shop,
        rabbitmq.Publisher(parameters, trace, "shipping#1") as shipper,
        tracking.tasks as tasks,
    ):

        def ship(received: rabbitmq.Received, consumer: rabbitmq.Consumer) -> None:
            if (effect := shipped(received.event)) is not None:
                shipper.publish(effect, orders, "shipping")
            consumer.ack(received)

        def listen(queue: str, who: str) -> rabbitmq.Listener:
            def take(received: rabbitmq.Received, consumer: rabbitmq.Consumer) -> None:
                tracking.take(received.event, queue, who)
                consumer.ack(received)

            return rabbitmq.Listener(tasks, parameters, queue, take, trace, who, prefetch=10)

        listeners = [listen(queue, f"{TRACKING}#{number}") for number, queue in enumerate(queues, 1)]
        rabbitmq.wait_until_ready(tasks, *listeners, rabbitmq.Listener(tasks, parameters, ships, ship, prefetch=10))
        yield lambda event: shop.publish(event, orders, "shop")
