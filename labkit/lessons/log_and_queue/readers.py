"""The readers of `log_and_queue`: a member of a Kafka group, a consumer of a RabbitMQ queue, a reader of a stream.

Each is asked in turn for what it has (`take`), by one thread. They share no code with brokers: what differs is what
there is to learn.
"""

import time
from collections import deque
from collections.abc import Mapping
from typing import Any, Protocol

import confluent_kafka as ck
import pika
from pika.exceptions import AMQPError

from labkit.brokers import kafka
from labkit.brokers.rabbitmq import topology
from labkit.events.event import Event
from labkit.events.trace import ACKED, DEAD, FAILED, HANDLED, RECEIVED, Trace
from labkit.lessons.log_and_queue.orders import Read

TURN_S = 0.005  # how long a reader that has nothing may wait for more, before the next one is asked
TRIES = 4  # an order that fails is handed out so often: the first time, and three times again (x-delivery-limit 3)


class Reader(Protocol):
    """One of them. read: what it has read. busy_until_s: it works on an order until then (`time.monotonic`)."""

    read: Read
    busy_until_s: float

    def take(self) -> int | None:
        """The number of the next order, or None: there is none yet."""

    def done(self) -> None:
        """Tell the broker that the order which was taken last is done."""

    def failed(self) -> None:
        """It could not be handled: try again, until the limit; then put it with the dead letters."""

    def close(self) -> None:
        """Leave. What the broker was not told of, it gives out again, if it is one that does."""


class GroupMember:
    """Kafka: poll, handle, commit. Who fails and wants another try seeks back, and counts the tries itself."""

    def __init__(
        self, config: Mapping[str, Any], group: str, topic: str, read: Read, trace: Trace, shared: bool
    ) -> None:
        self.read, self.busy_until_s = read, 0.0
        # Kafka shares out by the members' ids, and an id begins with the client's: so it is the same in every run.
        settings = {"client_id": read.place.replace(" ", "-")}
        self.client = kafka.Consumer(config, group, [topic], trace, who=read.who(shared), **settings)
        self._last: kafka.Received | None = None
        self._topic, self._early = topic, deque[kafka.Received]()

    def partitions(self) -> int:
        """How many partitions the group has given to this member."""
        if (came := self.client.poll(TURN_S)) is not None:
            self._early.append(came)
        return len(self.client.client.assignment())

    def at_end(self) -> bool:
        """It has a partition, and in none of its partitions is anything that the group has not committed."""
        bare = self.client.client
        mine = bare.committed(bare.assignment(), timeout=5)
        return bool(mine) and all(place.offset >= bare.get_watermark_offsets(place, timeout=5)[1] for place in mine)

    def take(self) -> int | None:
        self._last = self._early.popleft() if self._early else self.client.poll(TURN_S)
        if self._last is None:
            return None
        self.read.seqs.append(self._last.event.seq)
        return self._last.event.seq

    def done(self) -> None:
        assert self._last is not None
        self.client.handled(self._last)
        self.client.commit(self._last)

    def failed(self) -> None:
        last = self._last
        assert last is not None
        if self.read.seqs.count(last.event.seq) < TRIES:
            self.client.failed(last, "try again")
            self.client.client.seek(ck.TopicPartition(last.topic, last.partition, last.offset))
            return
        self.client.bury(last, f"failed {TRIES} times")
        self.client.commit(last)
        self.read.dead.add(last.event.seq)

    def close(self) -> None:
        self.client.close()


class QueueReader:
    """RabbitMQ: events are pushed, up to `prefetch` before the first is answered; each is acked or nacked."""

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
        self.read, self.busy_until_s, self.queue, self._who = read, 0.0, queue, read.who(shared)
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
    """A RabbitMQ stream, by AMQP, from its first event on; an ack asks for more, and takes nothing away."""

    def __init__(self, parameters: pika.ConnectionParameters, queue: str, read: Read, trace: Trace) -> None:
        super().__init__(parameters, queue, read, trace, 100, False, **{"x-stream-offset": "first"})

    def failed(self) -> None:
        """A stream has no dead letters: the reader notes the order, and goes on."""
        self._row(FAILED, "noted, and passed over")
        self.channel.basic_ack(self._last[0].delivery_tag)
        self.read.unsaid.add(self._last[2].seq)


def works(reader: Reader, seconds: float) -> None:
    """The reader is busy for so long; others are not."""
    reader.busy_until_s = time.monotonic() + seconds
