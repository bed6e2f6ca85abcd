"""Queues of a run: made at its beginning, deleted at its end, with all that belongs to them."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import pika

from labkit.base.cleanup import cleanup
from labkit.brokers.rabbitmq.topology import channel, dashed, declare, delete


@contextmanager
def temporary_queues(
    parameters: pika.ConnectionParameters,
    queues: Iterable[str] | Mapping[str, Iterable[str]],
    exchange: str = "",
    kind: str | None = "topic",
    dead_letters: bool = True,
    **arguments: Any,
) -> Iterator[None]:
    """Queues for the length of a `with`, and the exchange that they are bound to. Take fresh names (`names.fresh`).

    queues: queue -> its routing keys, {"stock": ["order.placed", "order.paid"]}; names alone are bound for every key.
    exchange: its name; empty: none, and queues are published to by their names. kind: direct, fanout, topic, headers;
    None: the exchange is there already, and stays. dead_letters: each queue has one for what is rejected,
    `<queue>.dead`; a stream has none. arguments: the queues' own, as in `declare_queue`: x_queue_type="stream",
    x_single_active_consumer=True.
    At the end all of it is deleted. A RabbitMQ that has died by then does not hide the error of the body.
    Raises BrokerError.
    """
    keys = queues if isinstance(queues, Mapping) else dict.fromkeys(queues, ("#",))
    mine = (exchange,) if exchange and kind is not None else ()
    with cleanup(partial(delete, parameters, *keys, exchanges=mine)):
        with channel(parameters) as ch:
            for name in mine:
                ch.exchange_declare(name, kind or "", durable=True)
            for queue, its_keys in keys.items():
                if dead_letters and arguments.get("x_queue_type") != "stream":
                    declare(ch, queue, **arguments)
                else:
                    ch.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum", **dashed(arguments)})
                for key in its_keys if exchange else ():
                    ch.queue_bind(queue, exchange, key)
        yield


def drain(parameters: pika.ConnectionParameters, queue: str) -> list[bytes]:
    """Take all that is in the queue now, in order: the bytes of each message. Raises BrokerError.

    What a consumer holds that it has not acknowledged is not in it. RabbitMQ refuses it for a stream (take
    `Consumer(…, offset="first")`), and for a quorum queue with a single active consumer.
    """
    found: list[bytes] = []
    with channel(parameters) as ch:
        while True:
            method, _, body = ch.basic_get(queue, auto_ack=True)
            if method is None:  # the queue has answered: it is empty
                return found
            found.append(body or b"")
