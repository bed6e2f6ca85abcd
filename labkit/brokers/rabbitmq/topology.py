"""Exchanges and queues: made by whoever needs them, as often as one likes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError

from labkit.base import patience
from labkit.base.errors import BrokerError
from labkit.brokers.dead_letters import DEAD_SUFFIX, dead_name
from labkit.brokers.rabbitmq.refusals import CURE, refused

BROKER = "rabbitmq"
TIMEOUT_S = 10.0  # that RabbitMQ may take for one step, on a quiet machine

__all__ = [
    "BROKER",
    "CURE",
    "DEAD_SUFFIX",
    "channel",
    "connect",
    "declare",
    "declare_exchange",
    "declare_queue",
    "declare_stream",
    "delete",
    "refused",
    "step_timeout_s",
]  # fmt: skip


def step_timeout_s() -> float:
    """Seconds that RabbitMQ may take for one step here and now."""
    return patience.seconds(TIMEOUT_S)


def declare_exchange(parameters: pika.ConnectionParameters, name: str, kind: str = "topic") -> None:
    """Make an exchange that outlives a restart. kind: direct, fanout, topic, headers. Raises BrokerError."""
    with channel(parameters) as ch:
        ch.exchange_declare(name, kind, durable=True)


def declare_queue(
    parameters: pika.ConnectionParameters, name: str, exchange: str = "", routing_key: str = "#", **arguments: Any
) -> None:
    """Make the queue `name` with a dead letter queue, and bind it to `exchange` (empty: it is not bound).

    arguments: the queue's own, with `_` for `-`: x_queue_type="classic". Raises BrokerError.
    """
    with channel(parameters) as ch:
        declare(ch, name, **arguments)
        if exchange:
            ch.queue_bind(name, exchange, routing_key)


def declare_stream(
    parameters: pika.ConnectionParameters, name: str, exchange: str = "", routing_key: str = "#", **arguments: Any
) -> None:
    """Make the stream `name`, a log that keeps what was read, and bind it to `exchange` (empty: it is not bound).

    It has no dead letters: nothing is ever taken out of it. arguments: its own, as in `declare_queue`:
    x_max_length_bytes=… Raises BrokerError.
    """
    with channel(parameters) as ch:
        ch.queue_declare(name, durable=True, arguments={"x-queue-type": "stream", **dashed(arguments)})
        if exchange:
            ch.queue_bind(name, exchange, routing_key)


def delete(parameters: pika.ConnectionParameters, *queues: str, exchanges: tuple[str, ...] = ()) -> None:
    """Delete these queues, their dead letter queues, and these exchanges, with all that is in them."""
    with channel(parameters) as ch:
        for name in queues:
            ch.queue_delete(name)
            ch.queue_delete(dead_name(name))
        for name in exchanges:
            ch.exchange_delete(name)


def declare(ch: BlockingChannel, name: str, **arguments: Any) -> None:
    """The queue and its dead letter queue. Quorum queues, which keep what they have confirmed."""
    dead = dead_name(name)
    ch.queue_declare(dead, durable=True, arguments={"x-queue-type": "quorum"})
    settings = {"x-queue-type": "quorum", **dead_letters_to(dead), **dashed(arguments)}
    ch.queue_declare(name, durable=True, arguments=settings)


def dead_letters_to(queue: str) -> dict[str, Any]:
    """The arguments of a queue whose dead letters go to `queue`, through the default exchange."""
    return {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": queue}


def dashed(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """`x_max_length=3` as RabbitMQ calls it: `x-max-length`."""
    return {key.replace("_", "-"): value for key, value in arguments.items()}


def connect(parameters: pika.ConnectionParameters) -> pika.BlockingConnection:
    """A connection for one thread. Raises BrokerError when RabbitMQ does not answer or says no."""
    try:
        return pika.BlockingConnection(parameters)
    except (AMQPError, OSError) as error:
        raise BrokerError(
            f"RabbitMQ does not answer at {parameters.host}:{parameters.port}: {error!r}.", CURE
        ) from error


@contextmanager
def channel(parameters: pika.ConnectionParameters) -> Iterator[BlockingChannel]:
    """A channel for a moment. What RabbitMQ refuses is a BrokerError."""
    connection = connect(parameters)
    try:
        yield connection.channel()
    except AMQPError as error:
        raise refused(error) from error
    finally:
        if connection.is_open:
            connection.close()
