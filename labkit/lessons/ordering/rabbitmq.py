"""Lesson 08 on RabbitMQ: one queue with some consumers; or, with a key, some queues behind a consistent hash."""

from collections import deque
from collections.abc import Callable
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel, BlockingConnection
from pika.exceptions import AMQPError

from labkit.base import names
from labkit.base.wait import until
from labkit.brokers import rabbitmq
from labkit.brokers.rabbitmq.topology import BROKER, channel, connect, refused
from labkit.events.event import Event
from labkit.events.trace import ACKED, RECEIVED
from labkit.harness.threads import Threads
from labkit.lessons.ordering.load import Planned
from labkit.lessons.ordering.publish import publish
from labkit.lessons.ordering.work import SERVICE, Delivery, Run, Workers

RETRY_MS = 30  # how long an event stays in the retry queue
_PATIENCE_S = 20
_POLL_S = 0.05


class OnRabbitMQ:
    """One run. Makes its exchange and queues, and deletes them in `close`."""

    def __init__(self, parameters: pika.ConnectionParameters, run: Run) -> None:
        self._parameters, self._run = parameters, run
        setting = run.setting
        self._name = names.fresh("life")
        count = 1 if setting.key == "none" else setting.partitions
        self._queues = [f"{self._name}.{i}" for i in range(count)]
        self._dead_lettered = setting.requeue > 0 and setting.retry in ("delayed", "parked")
        self._threads = Threads(self._fail)
        self._listening: set[int] = set()

    def open(self) -> None:
        """Make exchange and queues, start the consumers, and wait until they listen."""
        setting = self._run.setting
        with channel(self._parameters) as ch:
            ch.exchange_declare(self._name, "x-consistent-hash", durable=True)
            for queue in self._queues:
                self._declare(ch, queue)
                ch.queue_bind(queue, self._name, "1")  # the weight: every queue gets an equal part of the keys
        for number in range(1, setting.consumers + 1):
            self._threads.start(self._read, number)
        until(
            lambda: self._run.done.is_set() or len(self._listening) == setting.consumers,
            _PATIENCE_S,
            "every consumer listens",
        )

    def _declare(self, ch: BlockingChannel, queue: str) -> None:
        setting = self._run.setting
        arguments: dict[str, Any] = {"x-queue-type": setting.queue_type}
        if setting.queue == "quorum, no limit":
            arguments["x-delivery-limit"] = -1
        if setting.single_active:
            arguments["x-single-active-consumer"] = True
        if self._dead_lettered:
            arguments |= {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": f"{queue}.retry"}
            back = {"x-message-ttl": RETRY_MS, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": queue}
            ch.queue_declare(f"{queue}.retry", durable=True, arguments=back)
        ch.queue_declare(queue, durable=True, arguments=arguments)

    def publish(self, plan: list[Planned]) -> None:
        """Send all events, and wait until RabbitMQ has confirmed them. Raises BrokerError."""
        setting, trace = self._run.setting, self._run.trace
        publishers = [
            rabbitmq.Publisher(self._parameters, trace, f"producer#{i}") for i in range(1, setting.producers + 1)
        ]

        def sender(publisher: rabbitmq.Publisher) -> Callable[..., None]:
            def send(planned: Planned, told: Callable[[str], None]) -> None:
                publisher.publish(planned.event, self._name, planned.key(setting.key) or "no-key", told)

            return send

        try:
            sends = [sender(publisher) for publisher in publishers]
            publish(plan, sends, lambda: None, self._run.done, setting.wait_for_ack)
        finally:
            for publisher in publishers:
                publisher.close()

    def _fail(self, error: BaseException) -> None:
        self._run.fail(refused(error) if isinstance(error, AMQPError) else error)

    def _read(self, number: int) -> None:
        setting, who = self._run.setting, f"{SERVICE}#{number}"
        # A queue is shared out like a partition: with a key it has one consumer, and a consumer too many has none.
        mine = self._queues if len(self._queues) == 1 else self._queues[number - 1 :: setting.consumers]
        connection = connect(self._parameters)
        workers = Workers(self._run, who)
        hand: deque[Delivery] = deque()  # received, and not worked on: up to the prefetch
        try:
            ch = connection.channel()
            ch.basic_qos(prefetch_count=setting.prefetch)
            for queue in mine:
                self._listen(connection, ch, queue, hand, who)
            self._listening.add(number)
            while not self._run.done.is_set():
                connection.process_data_events(time_limit=0 if hand else _POLL_S)
                for _ in range(1 if setting.workers == 1 else len(hand)):
                    if hand:
                        workers.give(hand.popleft())
        finally:
            workers.close()
            if connection.is_open:
                connection.process_data_events(time_limit=0)  # the last acks of the workers
                connection.close()

    def _listen(
        self, connection: BlockingConnection, ch: BlockingChannel, queue: str, hand: deque[Delivery], who: str
    ) -> None:
        def answer(does: Callable[[], None]) -> Callable[[], None]:
            """The same from any thread: pika's channel belongs to the one that reads."""
            return does if self._run.setting.workers == 1 else lambda: connection.add_callback_threadsafe(does)

        def on_message(_: BlockingChannel, method: Any, __: Any, body: bytes) -> None:
            if self._run.done.is_set():
                return  # the run is over: what is still in the client goes back to the queue
            event, tag = Event.from_bytes(body), method.delivery_tag
            about = (event.subject, event.seq, event.id, queue, -1, who, BROKER)
            self._run.trace.add(RECEIVED, *about, event.type)

            def ack() -> None:
                ch.basic_ack(tag)
                self._run.trace.add(ACKED, *about)

            def later() -> None:
                ch.basic_nack(tag, requeue=self._run.setting.retry == "requeue")

            hand.append(Delivery(event, queue, -1, answer(ack), answer(later)))

        ch.basic_consume(queue, on_message)

    def close(self) -> None:
        """End the consumers; delete exchange and queues."""
        self._run.done.set()
        self._threads.join()
        retries = [f"{queue}.retry" for queue in self._queues]
        rabbitmq.delete(self._parameters, *self._queues, *retries, exchanges=(self._name,))
