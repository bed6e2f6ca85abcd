"""One message there and back on each broker, through the same clients that the lessons use."""

import logging
import time
from typing import Any

from labkit import lab
from labkit.base import patience
from labkit.base.names import fresh
from labkit.doctor.finding import BAD, OK, Finding

TIMEOUT_S = 15.0
_CURE = "see `python -m labkit logs {broker}`; then `python -m labkit down` and `up`"


def there_and_back() -> list[Finding]:
    """A message through Kafka and one through RabbitMQ. The lab must have been started in this process."""
    return [_try("kafka", _kafka), _try("rabbitmq", _rabbitmq)]


def _try(broker: str, send_and_read) -> Finding:  # type: ignore[no-untyped-def]
    name = f"a message through {broker}"
    started = time.perf_counter()
    try:
        send_and_read(fresh("doctor"))
    except Exception as error:  # whatever the client raises is the finding
        return Finding(name, BAD, f"{type(error).__name__}: {error}", _CURE.format(broker=broker), f"{broker} BAD")
    took = time.perf_counter() - started
    running = next(one for one in lab.running() if one.broker == broker)
    return Finding(name, OK, f"there and back in {took:.1f} s ({running.label})", short=f"{broker} {running.source} ok")


def _kafka(topic: str) -> None:
    from confluent_kafka import Consumer, Producer, TopicPartition
    from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

    quiet: dict[str, Any] = {"logger": logging.getLogger("labkit.doctor")}
    admin = AdminClient({**lab.kafka_config(), **quiet})
    if next(b for b in lab.running() if b.broker == "kafka").source != "embedded":  # there they come by themselves
        admin.create_topics([NewTopic(topic, 1)], request_timeout=patience.seconds(TIMEOUT_S))[topic].result()
    producer = Producer({**lab.kafka_config(), **quiet})
    producer.produce(topic, b"hello", partition=0)
    if producer.flush(patience.seconds(TIMEOUT_S)):
        raise TimeoutError("the broker did not confirm the message")
    consumer = Consumer({**lab.kafka_config(), **quiet, "group.id": topic})
    consumer.assign([TopicPartition(topic, 0, 0)])
    message = consumer.poll(patience.seconds(TIMEOUT_S))
    consumer.close()
    if message is None or message.error() or message.value() != b"hello":
        raise TimeoutError("the message did not come back")
    admin.delete_topics([topic])[topic].result()


def _rabbitmq(queue: str) -> None:
    import pika

    connection = pika.BlockingConnection(lab.rabbitmq_parameters())
    try:
        channel = connection.channel()
        channel.queue_declare(queue, exclusive=True)
        channel.confirm_delivery()
        channel.basic_publish("", queue, b"hello", mandatory=True)
        for _, _, body in channel.consume(queue, auto_ack=True, inactivity_timeout=patience.seconds(TIMEOUT_S)):
            if body != b"hello":
                raise TimeoutError("the message did not come back")
            break
        channel.cancel()
    finally:
        connection.close()
