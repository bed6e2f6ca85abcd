"""The same check of a consumer on the real brokers: real acknowledgements, real redelivery, real dead letters.

Bare `confluent_kafka` and bare `pika`: what is shown here is what a learner's own consumer would do.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pika

from labkit.base.names import fresh
from labkit.brokers.rabbitmq import topology
from labkit.teach.checks.channel import drained
from labkit.teach.checks.consumer import TRIES, Consumer, Redelivery, Story
from labkit.teach.checks.partition import PartitionReader, partition, value_of


def on_kafka(react: Consumer, config: Mapping[str, Any], messages: Sequence[bytes], away: set[str]) -> Story:
    """Send the messages through a topic of their own; acknowledging commits. Raises BrokerError.

    What is not acknowledged is read again from its offset, TRIES times at most. Takes a second or two.
    """
    story = Story()
    with partition(config, messages) as (reader, dead_letter, buried):
        _read_kafka(react, reader, len(messages), Redelivery(story, set(away), dead_letter), story)
        story.dead = buried()
    return story


def _read_kafka(react: Consumer, reader: PartitionReader, count: int, hands: Redelivery, story: Story) -> None:
    for offset in range(count):
        for _ in range(TRIES):
            message = reader.read()
            if hands.deliver(react, value_of(message), partial(reader.consumer.commit, message, asynchronous=False)):
                break
            reader.restart(offset)  # it was not acknowledged: read it again
        else:
            story.left.append(value_of(message))
            reader.restart(offset + 1)  # a real consumer would stand here forever


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
            hands = Redelivery(story, set(away), lambda raw: ch.basic_publish("", dead, raw))
            _read_rabbitmq(react, ch, queue, hands, story)
            story.dead = drained(ch, dead)
    finally:
        topology.delete(parameters, queue)
    return story


def _read_rabbitmq(react: Consumer, ch: Any, queue: str, hands: Redelivery, story: Story) -> None:
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
            ch.basic_ack(method.delivery_tag)  # a real consumer would meet it forever
