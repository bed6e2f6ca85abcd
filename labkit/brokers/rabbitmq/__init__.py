"""RabbitMQ: publish to an exchange, consume a queue, acknowledge each event.

A thin coat over `pika`: events in and out, a trace row for each step, errors that say what to do.
"""

from labkit.brokers.rabbitmq import dead_letters
from labkit.brokers.rabbitmq.consumer import Consumer, Received
from labkit.brokers.rabbitmq.listener import Listener, wait_until_ready
from labkit.brokers.rabbitmq.publisher import Publisher
from labkit.brokers.rabbitmq.refusals import refused
from labkit.brokers.rabbitmq.temporary import drain, temporary_queues
from labkit.brokers.rabbitmq.topology import DEAD_SUFFIX, declare_exchange, declare_queue, declare_stream, delete

__all__ = [
    "DEAD_SUFFIX", "Consumer", "Listener", "Publisher", "Received", "dead_letters", "declare_exchange", "declare_queue",
    "declare_stream", "delete", "drain", "refused", "temporary_queues", "wait_until_ready",
]  # fmt: skip
