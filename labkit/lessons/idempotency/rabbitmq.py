"""Lesson 09 on RabbitMQ: one queue, and a consumer that can be gone at any point."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pika
from pika.exceptions import AMQPError

from labkit.base import names, patience
from labkit.base.errors import BrokerError
from labkit.brokers import rabbitmq
from labkit.brokers.rabbitmq.refusals import CURE
from labkit.events.event import Event
from labkit.events.trace import Trace, Tracer
from labkit.lessons.idempotency.crashes import SERVICE
from labkit.lessons.idempotency.reading import TIMEOUT_S, Backend, Delivery

QUEUE_TYPE = "classic"  # a quorum queue gives up a message after 20 returns, and a run may crash more often
_EMPTY_S = 0.3  # automatic ack: nothing for so long means that the queue is empty


class Reader:
    """A consumer of one queue. automatic: RabbitMQ forgets an event as soon as it has sent it."""

    def __init__(
        self,
        parameters: pika.ConnectionParameters,
        queue: str,
        trace: Tracer,
        prefetch: int = 20,
        automatic: bool = False,
    ) -> None:
        self._consumer = rabbitmq.Consumer(
            parameters, queue, trace, SERVICE, prefetch, provide=False, auto_ack=automatic
        )
        self._automatic, self._acked = automatic, 0

    def deliveries(self) -> Iterator[Delivery | None]:
        """Events as they come. Raises BrokerError after 10 s of silence; automatic: ends when the queue is empty."""
        timeout_s = _EMPTY_S if self._automatic else patience.seconds(TIMEOUT_S)
        for received in self._consumer.events(timeout_s):
            yield Delivery(received.event, received.redelivered, received, partial(self._consumer.handled, received))
        if not self._automatic:
            raise BrokerError(f"RabbitMQ has sent nothing for {timeout_s:g} s.", CURE)

    def ack(self, delivery: Delivery) -> None:
        """This event and all before it are done."""
        tag = delivery.received.tag
        if tag == self._acked + 1:
            self._consumer.ack(delivery.received)
        else:
            try:
                self._consumer.client.basic_ack(tag, multiple=True)
            except AMQPError as error:
                raise rabbitmq.refused(error) from error
        self._acked = tag

    def close(self) -> None:
        self._consumer.close()


@contextmanager
def backend(parameters: pika.ConnectionParameters, trace: Trace) -> Iterator[Backend]:
    """The queues of a run, for the length of a `with`."""
    name = names.fresh("payments")
    with (
        rabbitmq.temporary_queues(parameters, [name, f"{name}.taken"], x_queue_type=QUEUE_TYPE),
        rabbitmq.Publisher(parameters, trace, "checkout") as publisher,
    ):

        def publish(event: Event, queue: str) -> None:
            publisher.publish(event, "", queue)

        reader, messages = partial(Reader, parameters, name, trace), partial(rabbitmq.drain, parameters)
        yield Backend(name, publish, publisher.flush, reader, messages)
