"""A RabbitMQ queue, which readers share or have each for themselves, and a stream, which each reads whole."""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from functools import partial
from typing import Any

import pika
from pika.exceptions import AMQPError

from labkit.base import wait
from labkit.base.names import fresh
from labkit.brokers import rabbitmq
from labkit.brokers.rabbitmq import topology
from labkit.events.event import Event
from labkit.events.trace import ACKED, DEAD, FAILED, HANDLED, RECEIVED, Trace
from labkit.lessons.log_and_queue.backends import TIMEOUT_S, TRIES, TURN_S, Reader
from labkit.lessons.log_and_queue.orders import Read


class Queue:
    """share: the readers take from one queue; otherwise each has a queue of its own, bound to a fanout."""

    look = "rabbitmq"

    def __init__(self, parameters: pika.ConnectionParameters, trace: Trace, share: bool, prefetch: int) -> None:
        self.parameters, self.trace, self.shares, self.prefetch = parameters, trace, share, prefetch
        self.exchange = fresh("orders")
        self.queues: list[str] = []

    @contextmanager
    def made(self) -> Iterator[None]:
        with rabbitmq.temporary_queues(self.parameters, (), self.exchange, "fanout"), ExitStack() as self._end:
            yield

    def open(self, names: Sequence[str]) -> list[Reader]:
        return [self.again(name) for name in names]

    def publish(self, events: Sequence[Event]) -> None:
        with closing(rabbitmq.Publisher(self.parameters, self.trace, who="shop")) as publisher:
            for event in events:
                publisher.publish(event, self.exchange, event.data["country"])

    def again(self, name: str) -> Reader:
        read = Read(self.look, name)
        queue = self._bound(read.place)
        return QueueReader(self.parameters, queue, read, self.trace, self.prefetch, self.shares)

    def _bound(self, place: str) -> str:
        queue = self.exchange if self.shares else f"{self.exchange}.{place.replace(' ', '-')}"
        if queue not in self.queues:
            its = partial(rabbitmq.temporary_queues, self.parameters, (queue,), self.exchange, kind=None)
            self._end.enter_context(its(x_delivery_limit=TRIES - 1))
            self.queues.append(queue)
        return queue

    def wait_for_dead_letters(self, dead: int) -> None:
        with topology.channel(self.parameters) as channel:

            def there() -> bool:
                names = [queue + rabbitmq.DEAD_SUFFIX for queue in self.queues]
                found = [channel.queue_declare(name, passive=True).method.message_count for name in names]
                return bool(sum(found) == dead)

            wait.until(there, TIMEOUT_S, f"{dead} orders are in the dead letter queue")

    def late(self, name: str) -> Read:
        found = rabbitmq.drain(self.parameters, self._bound(name))
        return Read(self.look, name, [Event.from_bytes(body).seq for body in found])


class Stream:
    """A log. Readers do not share it: each reads all of it, from where it says."""

    look = "stream"
    shares = False

    def __init__(self, parameters: pika.ConnectionParameters, trace: Trace) -> None:
        self.parameters, self.trace, self.name, self.n = parameters, trace, fresh("orders"), 0

    def made(self) -> AbstractContextManager[None]:
        return rabbitmq.temporary_queues(self.parameters, (self.name,), x_queue_type="stream")

    def open(self, names: Sequence[str]) -> list[Reader]:
        return [self.again(name) for name in names]

    def publish(self, events: Sequence[Event]) -> None:
        self.n = len(events)
        with closing(rabbitmq.Publisher(self.parameters, self.trace, who="shop")) as publisher:
            for event in events:
                publisher.publish(event, "", self.name)

    def again(self, name: str) -> Reader:
        return StreamReader(self.parameters, self.name, Read(self.look, name), self.trace)

    def wait_for_dead_letters(self, dead: int) -> None:
        """A stream has no dead letters."""

    def late(self, name: str) -> Read:
        with closing(self.again(name)) as reader:
            wait.until(lambda: self._all(reader), TIMEOUT_S, "the late reader has read the stream", every_s=0)
            return reader.read

    def _all(self, reader: Reader) -> bool:
        if reader.take() is not None:
            reader.done()
        return len(reader.read.seqs) >= self.n


class QueueReader:
    """Events are pushed to it, up to `prefetch` before the first is answered; each is acked or nacked."""

    def __init__(
        self,
        parameters: pika.ConnectionParameters,
        queue: str,
        read: Read,
        trace: Trace,
        prefetch: int,
        shared: bool,
        **settings: Any,
    ) -> None:
        self.read, self.queue, self._who = read, queue, read.who(shared)
        self._add, self._inbox = trace.add, deque[tuple[Any, Any, Event]]()
        self._last: Any = None  # method, properties, event of what was taken last
        self.connection = topology.connect(parameters)
        try:
            self.channel = self.connection.channel()
            self.channel.basic_qos(prefetch_count=prefetch)
            self.channel.basic_consume(queue, self._came, arguments=settings)
        except AMQPError as error:
            self.close()
            raise topology.refused(error) from error

    def _came(self, _channel: Any, method: Any, properties: Any, body: bytes) -> None:
        self._inbox.append((method, properties, Event.from_bytes(body)))

    def take(self) -> int | None:
        if not self._inbox:
            try:
                self.connection.process_data_events(TURN_S)
            except AMQPError as error:
                raise topology.refused(error) from error
        if not self._inbox:
            return None
        self._last = self._inbox.popleft()
        seq: int = self._last[2].seq
        self.read.seqs.append(seq)
        self._row(RECEIVED)
        return seq

    def done(self) -> None:
        self._row(HANDLED)
        self.channel.basic_ack(self._last[0].delivery_tag)
        self._row(ACKED)

    def failed(self) -> None:
        """Nack. RabbitMQ counts (x-delivery-count), and above the queue's limit the order is a dead letter."""
        self._row(FAILED, "nack, requeue")
        given_back = (self._last[1].headers or {}).get("x-delivery-count", 0)
        self.channel.basic_nack(self._last[0].delivery_tag, requeue=True)
        if given_back >= TRIES - 1:
            self._row(DEAD, "the queue's delivery limit")
            self.read.dead.add(self._last[2].seq)

    def _row(self, what: str, note: str = "") -> None:
        _, properties, event = self._last
        position = int((properties.headers or {}).get("x-stream-offset", -1))
        where = (self.queue, position, self._who, topology.BROKER)
        self._add(what, event.subject, event.seq, event.id, *where, note or event.type)

    def close(self) -> None:
        if self.connection.is_open:
            self.connection.close()


class StreamReader(QueueReader):
    """By AMQP, from the stream's first event on; an ack asks for more, and takes nothing away."""

    def __init__(self, parameters: pika.ConnectionParameters, queue: str, read: Read, trace: Trace) -> None:
        super().__init__(parameters, queue, read, trace, 100, False, **{"x-stream-offset": "first"})

    def failed(self) -> None:
        """A stream has no dead letters: the reader notes the order, and goes on."""
        self._row(FAILED, "noted, and passed over")
        self.channel.basic_ack(self._last[0].delivery_tag)
        self.read.unsaid.add(self._last[2].seq)
