"""One producer and one consumer for each kind of channel: bare clients, the same bytes, the same promises.

Every message is confirmed by its broker, up to WINDOW of them are on their way at a time, and a consumer says how far
it is after every BATCH: Kafka by a commit, RabbitMQ by an ack that covers all before it. A clock starts when the
client is connected and warm, and stops with the last confirm, or the last commit or ack.
"""

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Protocol

import confluent_kafka as ck
import pika

from labkit.base import patience, wait
from labkit.base.errors import BrokerError, NotInTimeError
from labkit.base.names import fresh
from labkit.brokers import kafka, rabbitmq
from labkit.brokers.kafka import bare
from labkit.brokers.kafka.topics import said
from labkit.brokers.rabbitmq import topology
from labkit.brokers.rabbitmq.bare import WINDOW, Window

BATCH = 500
TIMEOUT_S = 30.0
_CURE = "look at `python -m labkit status`; a very busy machine may need fewer events"
_NO_COORDINATOR_YET = (
    ck.KafkaError.NOT_COORDINATOR,
    ck.KafkaError.COORDINATOR_NOT_AVAILABLE,
    ck.KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
)


class Channel(Protocol):
    """A topic, a queue or a stream of this run's own, through which everything goes."""

    def open(self) -> None: ...

    def publish(self, body: bytes, n: int) -> float:
        """Seconds from the first message to the last confirm."""

    def consume(self, n: int) -> float:
        """Seconds from asking for the first message to the answer for the last; the `n` that were published last."""

    def close(self) -> None: ...


class Topic:
    """Kafka by confluent-kafka: C, with a thin coat of Python. One partition, as a queue is one."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config, self.name, self.first = config, fresh("throughput"), 0
        self.producer = bare.producer(config, **{"queue.buffering.max.messages": WINDOW})

    def open(self) -> None:
        kafka.create_topics(self.config, {self.name: 1})

    def publish(self, body: bytes, n: int) -> float:
        producer, refused, timeout_s = self.producer, list[str](), patience.seconds(TIMEOUT_S)

        def answered(error: ck.KafkaError | None, _message: ck.Message) -> None:
            if error is not None:
                refused.append(error.str())

        def began(error: ck.KafkaError | None, message: ck.Message) -> None:
            answered(error, message)
            self.first = (message.offset() or 0) + 1

        producer.produce(self.name, body, on_delivery=began)
        producer.flush(timeout_s)  # a producer's first event waits half a second for the producer's id
        begin, produce, name = time.perf_counter(), producer.produce, self.name
        for _ in range(n):
            while True:
                try:
                    produce(name, body, on_delivery=answered)
                    break
                except BufferError:  # the window is full
                    producer.poll(timeout_s)
        left = producer.flush(timeout_s)
        took = time.perf_counter() - begin
        if left or refused:
            raise BrokerError(f"Kafka did not take all events: {(refused or ['not all were confirmed'])[0]}.", _CURE)
        return took

    def consume(self, n: int) -> float:
        consumer, timeout_s = bare.consumer(self.config), patience.seconds(TIMEOUT_S)
        try:
            place = ck.TopicPartition(self.name, 0, self.first)
            # When it begins it is connected, and knows who keeps its offsets, and who leads the partition.
            wait.until(lambda: _coordinated(consumer, place), TIMEOUT_S, "Kafka keeps the offsets of a new group")
            consumer.list_topics(self.name, timeout_s)
            begin = time.perf_counter()
            consumer.assign([place])
            got = 0
            while got < n:
                messages = consumer.consume(min(BATCH, n - got), timeout_s)  # it waits for all of them
                _check(messages, got, n)
                got += len(messages)
                consumer.commit(message=messages[-1], asynchronous=True)
            consumer.commit(message=messages[-1], asynchronous=False)  # its answer comes after all the others
            return time.perf_counter() - begin
        finally:
            consumer.close()

    def close(self) -> None:
        self.producer.purge()
        kafka.delete_topics(self.config, [self.name])


class Queue:
    """A RabbitMQ queue or stream by AMQP and pika, which is Python throughout."""

    def __init__(self, parameters: pika.ConnectionParameters, kind: str) -> None:
        self.parameters, self.kind, self.name, self.published = parameters, kind, fresh("throughput"), 0

    def open(self) -> None:
        with topology.channel(self.parameters) as channel:
            channel.queue_declare(self.name, durable=True, arguments={"x-queue-type": self.kind})

    def publish(self, body: bytes, n: int) -> float:
        client = _Publisher(self.parameters, self.name, body, n)
        client.run()
        self.published += n
        return client.took

    def consume(self, n: int) -> float:
        arguments = {"x-stream-offset": self.published - n} if self.kind == "stream" else {}
        client = _Consumer(self.parameters, self.name, n, arguments)
        client.connection.ioloop.start()
        if client.took is None:
            raise NotInTimeError(f"RabbitMQ gave {client.got} of {n} events: {client.trouble}.", _CURE)
        return client.took

    def close(self) -> None:
        with suppress(BrokerError):
            rabbitmq.delete(self.parameters, self.name)


class _Publisher(Window):
    def __init__(self, parameters: pika.ConnectionParameters, queue: str, body: bytes, n: int) -> None:
        self.queue, self.body, self.n, self.took = queue, body, n, 0.0
        self.properties = pika.BasicProperties(delivery_mode=2)
        super().__init__(parameters)

    def begin(self) -> None:
        self.began = time.perf_counter()

    def send(self, i: int) -> bool:
        if i >= self.n:
            return False
        self.channel.basic_publish("", self.queue, self.body, self.properties, mandatory=True)
        return True

    def confirmed_now(self, i: int) -> None:
        if self.confirmed == self.n:
            self.took = time.perf_counter() - self.began
            self.close()


class _Consumer:
    """Takes `n` messages, one ack for every BATCH."""

    def __init__(self, parameters: pika.ConnectionParameters, queue: str, n: int, arguments: dict[str, Any]) -> None:
        self.queue, self.n, self.arguments, self.got = queue, n, arguments, 0
        self.took: float | None = None
        self.trouble = f"no more came within {patience.seconds(TIMEOUT_S):g} s"
        self.connection = pika.SelectConnection(
            parameters,
            on_open_callback=lambda connection: connection.channel(on_open_callback=self._opened),
            on_open_error_callback=self._ended,
            on_close_callback=self._ended,
        )
        self.connection.ioloop.call_later(patience.seconds(TIMEOUT_S), self.connection.close)

    def _opened(self, channel: Any) -> None:
        self.channel = channel
        channel.add_on_close_callback(lambda _, error: self._broke(error))
        channel.basic_qos(prefetch_count=WINDOW, callback=self._begin)

    def _begin(self, _frame: Any) -> None:
        self.began = time.perf_counter()
        self.channel.basic_consume(self.queue, self._take, arguments=self.arguments)

    def _take(self, channel: Any, method: Any, properties: Any, body: bytes) -> None:
        self.got += 1
        if self.got % BATCH == 0 or self.got == self.n:
            channel.basic_ack(method.delivery_tag, multiple=True)
        if self.got == self.n:
            self.took = time.perf_counter() - self.began
            self.connection.close()

    def _broke(self, error: BaseException) -> None:
        if self.connection.is_open:
            self.trouble = str(error)
            self.connection.close()

    def _ended(self, connection: Any, error: Any) -> None:
        if self.took is None and self.connection.is_closed:
            self.trouble = f"{self.trouble} ({error})"
        connection.ioloop.stop()


def _coordinated(consumer: ck.Consumer, place: ck.TopicPartition) -> bool:
    """Whether there is a broker that keeps this group's offsets: a Kafka that has just started has none yet."""
    try:
        consumer.committed([place], patience.seconds(TIMEOUT_S))
    except ck.KafkaException as error:
        if error.args[0].code() in _NO_COORDINATOR_YET:
            return False
        raise BrokerError(f"Kafka does not tell what a group has read: {said(error)}.", _CURE) from error
    return True


def _check(messages: list[ck.Message], got: int, n: int) -> None:
    if not messages:
        raise NotInTimeError(
            f"Kafka gave {got} of {n} events, and no more within {patience.seconds(TIMEOUT_S):g} s.", _CURE
        )
    if (error := messages[0].error()) is not None:
        raise BrokerError(f"Kafka gave no events: {error.str()}.", _CURE)
