"""What an exercise leaves on a real RabbitMQ: nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pika

from labkit.base.names import fresh
from labkit.brokers.rabbitmq import topology
from labkit.teach.checks.channel import Declared, Opener


@contextmanager
def real_names(parameters: pika.ConnectionParameters) -> Iterator[tuple[Opener, Declared]]:
    """A way to connect, and names that nobody else has. Whatever was declared is deleted at the end.

    Raises BrokerError.
    """
    declared = Declared(fresh("exercise") + ".")
    try:
        yield partial(topology.channel, parameters), declared
    finally:
        topology.delete(parameters, *declared.durable, exchanges=tuple(declared.exchanges))
