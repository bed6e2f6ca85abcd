"""The three kinds: what lies between publisher and readers, made before and deleted after the run."""

from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from typing import Any, Protocol

import pika

from labkit.base import wait
from labkit.base.errors import BrokerError
from labkit.base.names import fresh
from labkit.brokers import kafka, rabbitmq
from labkit.brokers.rabbitmq import topology
from labkit.events.event import Event
from labkit.events.trace import Trace
from labkit.lessons.log_and_queue.orders import Read
from labkit.lessons.log_and_queue.readers import TRIES, GroupMember, QueueReader, Reader, StreamReader

PATIENCE_S = 20.0


class Side(Protocol):
    """A log or a queue. look: how it is drawn, a name of `plots.style.LOOKS`. shares: readers can share it."""

    look: str

    @property
    def shares(self) -> bool: ...

    def open(self, names: Sequence[str]) -> list[Reader]:
        """Make it, and one reader for each name. Nothing has been published yet."""

    def publish(self, events: Sequence[Event]) -> None:
        """Publish them all; returns when all are confirmed."""

    def again(self, name: str) -> Reader:
        """One more reader beside the others; with AGAIN behind a name, in the place of the one that had it."""

    def buried(self, dead: int) -> None:
        """Wait until so many dead letters are where they belong, if it is the broker that takes them there."""

    def late(self, name: str) -> Read:
        """What a reader reads that comes when the others have read everything and have left."""

    def delete(self) -> None: ...


class Topic:
    """Kafka. share: the readers are one group; otherwise each is a group of its own."""

    look = "kafka"

    def __init__(self, config: Mapping[str, Any], trace: Trace, share: bool, partitions: int) -> None:
        self.config, self.trace, self.shares, self.partitions = config, trace, share, partitions
        self.topic = fresh("orders")
        self.producer: kafka.Producer | None = None

    def open(self, names: Sequence[str]) -> list[Reader]:
        kafka.create_topics(self.config, {self.topic: self.partitions})
        self.producer = kafka.Producer(self.config, self.trace, who="shop")  # early: its id can take half a second
        members = [self._member(name) for name in names]
        busy = min(len(members), self.partitions) if self.shares else len(members)
        wanted = self.partitions if self.shares else self.partitions * len(members)

        def agreed() -> bool:
            mine = [member.partitions() for member in members]
            return sum(mine) == wanted and sum(count > 0 for count in mine) == busy

        try:
            wait.until(agreed, PATIENCE_S, "the members of the group have shared out the partitions", every_s=0)
        except BaseException:
            for member in members:
                member.close()
            raise
        return list[Reader](members)

    def publish(self, events: Sequence[Event]) -> None:
        assert self.producer is not None
        for event in events:
            self.producer.publish(event, self.topic, key=event.data["country"])
        self.producer.flush()

    def again(self, name: str) -> Reader:
        return self._member(name)

    def _member(self, name: str) -> GroupMember:
        read = Read(self.look, name)
        group = self.topic if self.shares else f"{self.topic}-{read.place}"
        return GroupMember(self.config, group, self.topic, read, self.trace, self.shares)

    def buried(self, dead: int) -> None:
        """Whoever gave up has published the dead letter itself, and has waited for the confirm."""

    def late(self, name: str) -> Read:
        with closing(self._member(name)) as member:
            wait.until(lambda: self._next(member), PATIENCE_S, "the late reader is at the end", every_s=0)
            return member.read

    def _next(self, member: GroupMember) -> bool:
        if not member.partitions():
            return False
        while member.take() is not None:
            member.done()
        return member.at_end()

    def delete(self) -> None:
        if self.producer is not None:
            self.producer.client.purge()
        with suppress(BrokerError):
            kafka.delete_topics(self.config, [self.topic, self.topic + kafka.DEAD_SUFFIX])


class Queue:
    """RabbitMQ. share: the readers take from one queue; otherwise each has a queue of its own, bound to a fanout."""

    look = "rabbitmq"

    def __init__(self, parameters: pika.ConnectionParameters, trace: Trace, share: bool, prefetch: int) -> None:
        self.parameters, self.trace, self.shares, self.prefetch = parameters, trace, share, prefetch
        self.exchange = fresh("orders")
        self.queues: list[str] = []

    def open(self, names: Sequence[str]) -> list[Reader]:
        rabbitmq.declare_exchange(self.parameters, self.exchange, "fanout")
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
            rabbitmq.declare_queue(self.parameters, queue, self.exchange, x_delivery_limit=TRIES - 1)
            self.queues.append(queue)
        return queue

    def buried(self, dead: int) -> None:
        with topology.channel(self.parameters) as channel:

            def there() -> bool:
                names = [queue + rabbitmq.DEAD_SUFFIX for queue in self.queues]
                found = [channel.queue_declare(name, passive=True).method.message_count for name in names]
                return bool(sum(found) == dead)

            wait.until(there, PATIENCE_S, f"{dead} orders are in the dead letter queue")

    def late(self, name: str) -> Read:
        queue, read = self._bound(name), Read(self.look, name)
        with topology.channel(self.parameters) as channel:
            while True:
                method, _, body = channel.basic_get(queue, auto_ack=True)
                if method is None:  # the queue has answered: it is empty
                    return read
                read.seqs.append(Event.from_bytes(body).seq)

    def delete(self) -> None:
        with suppress(BrokerError):
            rabbitmq.delete(self.parameters, *self.queues, exchanges=(self.exchange,))


class Stream:
    """A RabbitMQ stream: a log. Readers do not share it: each reads all of it, from where it says."""

    look = "stream"
    shares = False

    def __init__(self, parameters: pika.ConnectionParameters, trace: Trace) -> None:
        self.parameters, self.trace, self.name, self.n = parameters, trace, fresh("orders"), 0

    def open(self, names: Sequence[str]) -> list[Reader]:
        rabbitmq.declare_stream(self.parameters, self.name)
        return [self.again(name) for name in names]

    def publish(self, events: Sequence[Event]) -> None:
        self.n = len(events)
        with closing(rabbitmq.Publisher(self.parameters, self.trace, who="shop")) as publisher:
            for event in events:
                publisher.publish(event, "", self.name)

    def again(self, name: str) -> Reader:
        return StreamReader(self.parameters, self.name, Read(self.look, name), self.trace)

    def buried(self, dead: int) -> None:
        """A stream has no dead letters."""

    def late(self, name: str) -> Read:
        with closing(self.again(name)) as reader:
            wait.until(lambda: self._all(reader), PATIENCE_S, "the late reader has read the stream", every_s=0)
            return reader.read

    def _all(self, reader: Reader) -> bool:
        if reader.take() is not None:
            reader.done()
        return len(reader.read.seqs) >= self.n

    def delete(self) -> None:
        with suppress(BrokerError):
            rabbitmq.delete(self.parameters, self.name)
