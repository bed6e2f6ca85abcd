"""Events made, published and read: what all tests of the two clients do."""

from labkit import lab
from labkit.base import wait
from labkit.brokers import kafka, rabbitmq
from labkit.events.event import Event
from labkit.events.trace import Trace

POISON = b'{"specversion": "1.0", "type": \xff'


def made(n: int, keys: int = 5) -> list[Event]:
    return [Event("OrderPlaced", "/shop/checkout", f"order-{i % keys}", {"n": i}, seq=i // keys + 1) for i in range(n)]


def words(trace: Trace) -> dict[str, int]:
    return trace.to_frame()["what"].value_counts().to_dict()


def publish_to_kafka(topic: str, events: list[Event], trace: Trace | None = None) -> None:
    producer = kafka.Producer(lab.kafka_config(), trace, "checkout")
    for event in events:
        producer.publish(event, topic)
    producer.close()


def read_kafka(consumer: kafka.Consumer, n: int) -> list[kafka.Received]:
    got: list[kafka.Received] = []
    for received in consumer.events(idle_s=10):
        got.append(received)
        if len(got) == n:
            break
    return got


def publish_to_rabbitmq(queue: str, events: list[Event], trace: Trace | None = None, window: int = 1000) -> None:
    publisher = rabbitmq.Publisher(lab.rabbitmq_parameters(), trace, "checkout", window)
    for event in events:
        publisher.publish(event, "", queue)
    publisher.close()


def read_rabbitmq(queue: str) -> list[Event]:
    consumer = rabbitmq.Consumer(lab.rabbitmq_parameters(), queue)
    got = []
    for received in consumer.events(idle_s=1):
        consumer.ack(received)
        got.append(received.event)
    consumer.close()
    return got


def dead_letter(queue: str) -> bytes:
    """The bytes of the one letter in the dead letter queue; it stays there."""
    with rabbitmq.topology.channel(lab.rabbitmq_parameters()) as channel:

        def get():
            method, properties, body = channel.basic_get(queue + rabbitmq.DEAD_SUFFIX)
            return (properties.headers["x-death"][0]["reason"], body) if method else None

        reason, body = wait.until(get, 10, "the dead letter arrives")
    assert reason == "rejected"
    return body
