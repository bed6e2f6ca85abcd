"""The same check of a consumer on the real brokers: real acknowledgements, real redelivery, real dead letters.

Bare `confluent_kafka` and bare `pika`: what is shown here is what a learner's own consumer would do.
"""

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pika
from confluent_kafka import Consumer as KafkaConsumer
from confluent_kafka import KafkaException, Message, Producer, TopicPartition

from labkit.base.errors import BrokerError
from labkit.base.names import fresh
from labkit.brokers.kafka import topics
from labkit.brokers.rabbitmq import topology
from labkit.teach.check_consumer import TRIES, Consumer, Hands, Story

PATIENCE_S = 10.0


def on_kafka(react: Consumer, config: Mapping[str, Any], messages: Sequence[bytes], away: set[str]) -> Story:
    """Send the messages through a topic of their own; acknowledging commits. Raises BrokerError.

    What is not acknowledged is read again from its offset, TRIES times at most. Takes a second or two.
    """
    topic = fresh("exercise")
    dead, settings = topic + topics.DEAD_SUFFIX, topics.quiet(config)
    topics.create_topics(config, {topic: 1, dead: 1})
    producer = Producer(settings)
    consumer = KafkaConsumer(settings | {"group.id": topic, "enable.auto.commit": False})
    try:
        for raw in messages:
            producer.produce(topic, raw)
        _flushed(producer)
        story = _read_kafka(react, consumer, topic, len(messages), away, lambda raw: producer.produce(dead, raw))
        _flushed(producer)
        consumer.assign([TopicPartition(dead, 0, 0)])
        buried = consumer.get_watermark_offsets(TopicPartition(dead, 0), timeout=PATIENCE_S)[1]
        story.dead = [_bytes(_next(consumer)) for _ in range(buried)]
    except KafkaException as error:
        raise BrokerError(f"Kafka did not play along: {topics.said(error)}.", topics.CURE) from error
    finally:
        consumer.close()
        topics.delete_topics(config, [topic, dead])
    return story


def _read_kafka(react: Consumer, consumer: Any, topic: str, count: int, away: set[str], bury: Any) -> Story:
    story = Story()
    hands = Hands(story, set(away), bury)
    consumer.assign([TopicPartition(topic, 0, 0)])
    for offset in range(count):
        for _ in range(TRIES):
            message = _next(consumer)
            if hands.deliver(react, _bytes(message), partial(consumer.commit, message, asynchronous=False)):
                break
            consumer.seek(TopicPartition(topic, 0, offset))  # it was not acknowledged: read it again
        else:
            story.left.append(_bytes(message))
            consumer.seek(TopicPartition(topic, 0, offset + 1))  # a real consumer would stand here for ever
    return story


def _next(consumer: Any) -> Message:
    end_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < end_s:
        message: Message | None = consumer.poll(0.2)
        if message is not None and message.error() is None:
            return message
    raise BrokerError(f"No message came from Kafka within {PATIENCE_S:g} s.", topics.CURE)


def _bytes(message: Message) -> bytes:
    value = message.value()
    return value.encode() if isinstance(value, str) else value or b""


def _flushed(producer: Producer) -> None:
    if producer.flush(PATIENCE_S):
        raise BrokerError(f"Kafka did not take the messages within {PATIENCE_S:g} s.", topics.CURE)


def on_rabbitmq(
    react: Consumer, parameters: pika.ConnectionParameters, messages: Sequence[bytes], away: set[str]
) -> Story:
    """Send the messages through a queue of their own; acknowledging acks. Raises BrokerError.

    What is not acknowledged is requeued, TRIES times at most.
    """
    queue = fresh("exercise")
    story = Story()
    try:
        with topology.channel(parameters) as ch:
            topology.declare(ch, queue)
            ch.confirm_delivery()
            for raw in messages:
                ch.basic_publish("", queue, raw)
            dead = queue + topology.DEAD_SUFFIX
            hands = Hands(story, set(away), lambda raw: ch.basic_publish("", dead, raw))
            _read_rabbitmq(react, ch, queue, hands, story)
            while (got := ch.basic_get(dead, auto_ack=True))[0]:
                story.dead.append(got[2] or b"")
    finally:
        topology.delete(parameters, queue)
    return story


def _read_rabbitmq(react: Consumer, ch: Any, queue: str, hands: Hands, story: Story) -> None:
    tries: dict[bytes, int] = {}
    while True:
        method, _, raw = ch.basic_get(queue)
        if method is None:
            return
        if hands.deliver(react, raw, partial(ch.basic_ack, method.delivery_tag)):
            continue
        tries[raw] = tries.get(raw, 0) + 1
        if tries[raw] < TRIES:
            ch.basic_nack(method.delivery_tag, requeue=True)  # it was not acknowledged: it comes again
        else:
            story.left.append(raw)
            ch.basic_ack(method.delivery_tag)  # a real consumer would meet it for ever
