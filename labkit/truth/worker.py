"""A consumer in a process of its own, killed by `kill -9` while it holds an event that it has not acknowledged.

It takes three events, acknowledges two, says so one by one, and then holds on until it is killed.
"""

import json
import threading
from typing import TYPE_CHECKING, Any

from labkit.base import patience
from labkit.chaos.parent import Parent
from labkit.chaos.worker import Worker
from labkit.events.event import Event
from labkit.truth.cases import ACKED, KILLED, RECEIVED, TIMEOUT_S, Notes
from labkit.truth.judges import FIRST

if TYPE_CHECKING:
    from labkit.truth.kafka_steps import KafkaSteps

TAKES, ACKNOWLEDGES = 3, 2
# A member with a name: who comes under the same name takes its place at once. The stand-in waits for the timeout.
MEMBER: dict[str, Any] = {"group.instance.id": "one", "session.timeout.ms": 6000}


def kill_on_kafka(kafka: "KafkaSteps", topic: str, group: str) -> None:
    """Let a member of the group die on this topic. Raises WorkerError, NotInTimeError."""
    config = {key: value for key, value in kafka.config.items() if key != "logger"} | MEMBER
    _kill(kafka, topic, Worker(consume_kafka, config, topic, group))


def kill_on_rabbitmq(notes: Notes, url: str, queue: str, arguments: dict[str, Any]) -> None:
    """Let a consumer of this queue die. arguments: of its `basic_consume`. Raises WorkerError, NotInTimeError."""
    _kill(notes, queue, Worker(consume_rabbitmq, url, queue, arguments))


def _kill(notes: Notes, channel: str, consumer: Worker) -> None:
    """Write down what it says, and kill it once it holds its third event."""
    with consumer:
        for _ in range(TAKES + ACKNOWLEDGES):
            what, event, position = consumer.receive(patience.seconds(2 * TIMEOUT_S))
            notes.row(what, Event.from_dict(event), FIRST, "", channel, position)
        consumer.kill()
    notes.row(KILLED, who=FIRST, note="kill -9")


def consume_kafka(parent: Parent, config: dict[str, Any], topic: str, group: str) -> None:
    import confluent_kafka as ck

    mine = {"group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False, "log_level": 0}
    consumer = ck.Consumer({**config, **mine})
    consumer.subscribe([topic])
    for i in range(TAKES):
        message = None
        while message is None or message.error() is not None:
            message = consumer.poll(1)
        event, offset = json.loads(message.value() or b""), message.offset() or 0
        parent.send([RECEIVED, event, offset])
        if i < ACKNOWLEDGES:
            consumer.commit(message=message, asynchronous=False)
            parent.send([ACKED, event, offset])
    threading.Event().wait()  # here: the consumer would leave its group tidily when this function ends


def consume_rabbitmq(parent: Parent, url: str, queue: str, arguments: dict[str, Any]) -> None:
    import pika

    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    channel.basic_qos(prefetch_count=TAKES)
    for i, (method, properties, raw) in enumerate(channel.consume(queue, arguments=arguments)):
        event, position = json.loads(raw), int((properties.headers or {}).get("x-stream-offset", -1))
        parent.send([RECEIVED, event, position])
        if i == TAKES - 1:
            break
        channel.basic_ack(method.delivery_tag)
        connection.process_data_events(0)
        parent.send([ACKED, event, position])
    threading.Event().wait()
