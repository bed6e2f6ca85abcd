"""Messages there and back through a broker's published port, for check_engine.py."""

import pika
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from labkit.base import names
from labkit.base.wait import until


def kafka_round(address: str, topic: str, values: list[bytes]) -> list[bytes]:
    """Publish the values, and read back as many with a new group of the new protocol (KIP-848)."""
    producer = Producer({"bootstrap.servers": address, "acks": "all"})
    for value in values:
        producer.produce(topic, value)
    assert producer.flush(60) == 0
    return kafka_read(address, topic, len(values))


def kafka_read(address: str, topic: str, count: int) -> list[bytes]:
    group = {"group.id": names.fresh("g"), "group.protocol": "consumer", "auto.offset.reset": "earliest"}
    consumer = Consumer({"bootstrap.servers": address, **group})
    consumer.subscribe([topic])
    found: list[bytes] = []

    def enough() -> bool:
        message = consumer.poll(0.2)
        if message is not None and message.error() is None:
            found.append(message.value())
        return len(found) >= count

    until(enough, 60, f"{count} records are read")
    consumer.close()
    return found


def a_topic(address: str, replicas: int = 1) -> str:
    topic = names.fresh("t")
    admin = AdminClient({"bootstrap.servers": address})
    admin.create_topics([NewTopic(topic, 1, replicas)])[topic].result(30)
    return topic


def rabbitmq_round(url: str, kind: str, body: bytes) -> bytes:
    """Publish one confirmed message to a new queue of that kind, and read it back."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    queue = names.fresh("q")
    channel.queue_declare(queue, durable=True, arguments={"x-queue-type": kind})
    channel.confirm_delivery()
    channel.basic_publish("", queue, body, mandatory=True)
    channel.basic_qos(prefetch_count=1)
    offset = {"x-stream-offset": "first"} if kind == "stream" else {}
    for _, _, found in channel.consume(queue, arguments=offset, inactivity_timeout=30):
        connection.close()
        return found
    raise AssertionError("unreachable")
