"""The two clients of `first_events`, bare `confluent_kafka` and bare `pika`, side by side.

They are called in the same four steps (open, send and receive at the same time, close) and share no code:
what differs is what there is to learn.
"""

import json
import logging
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pika
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from pika.exceptions import AMQPError

from labkit.base import names, patience
from labkit.base.errors import BrokerError, NotInTimeError

TIMEOUT_S = 10.0  # seconds a broker may take for one step, and the last event after it was due

_log = logging.getLogger(__name__)
Row = dict[str, Any]
_DOCTOR = "look at `python -m labkit doctor`"


class Kafka:
    """One topic with one partition, a producer that asks for every confirmation, a consumer that reads it all.

    rows: one dict per event; `due_s` must be there before `send`, the other times are filled in.
    """

    def __init__(self, config: Mapping[str, Any], linger_ms: float = 0) -> None:
        self.config = {"logger": _log, **config}  # or librdkafka writes its log straight to fd 2
        self.linger_ms = linger_ms
        self.topic, self.rows = names.fresh("first-events"), list[Row]()
        self.refused: str | None = None

    def open(self) -> None:
        mine = {
            "linger.ms": self.linger_ms,
            "acks": "all",
            "delivery.timeout.ms": int(patience.seconds(TIMEOUT_S) * 1000),
        }
        self.producer = Producer({**self.config, **mine})
        # "assign" takes the partition at once; a group would first have to agree on who reads what.
        self.consumer = Consumer({**self.config, "group.id": self.topic, "enable.auto.commit": False})
        self.consumer.assign([TopicPartition(self.topic, 0, 0)])

    def send(self, bodies: list[bytes], stop: threading.Event) -> None:
        for seq, body in enumerate(bodies):
            self._wait(self.rows[seq]["due_s"])
            if stop.is_set():
                return
            self.rows[seq]["published_s"] = time.perf_counter()
            self.producer.produce(self.topic, body, str(seq), on_delivery=self._confirmed)
        self.producer.flush(patience.seconds(TIMEOUT_S))
        if self.refused:
            raise BrokerError(f"Kafka did not take an event: {self.refused}.", _DOCTOR)

    def _wait(self, due_s: float) -> None:
        """Wait until `due_s`; confirmations are taken meanwhile (`poll` counts in whole milliseconds)."""
        while (left := due_s - time.perf_counter()) > 0.002:
            self.producer.poll(left - 0.001)
        sleep_until(due_s)

    def _confirmed(self, error: Any, message: Message) -> None:
        if error:
            self.refused = error.str()
        else:
            self.rows[_seq(message)]["confirmed_s"] = time.perf_counter()

    def receive(self, stop: threading.Event, deadline_s: float) -> None:
        missing, trouble = len(self.rows), ""
        while missing and not stop.is_set():
            message = self.consumer.poll(0.1)
            now = time.perf_counter()
            error = message.error() if message is not None else None
            if error is not None:
                trouble = f" (Kafka said: {error.str()})"  # most are passing; the deadline decides
            elif message is not None:
                _received(self.rows[_seq(message)], message.value() or b"", now)
                missing -= 1
            if missing and now > deadline_s:
                raise _not_back("Kafka", missing, len(self.rows), trouble)

    def close(self) -> None:
        self.producer.purge()
        self.consumer.close()


class RabbitMQ:
    """One quorum queue, a channel with publisher confirms, a consumer that acks every event.

    A quorum queue, because it keeps what it has confirmed, as Kafka's log does. `rows` as in Kafka.
    """

    def __init__(self, parameters: pika.ConnectionParameters) -> None:
        self.parameters = parameters
        self.queue, self.rows = names.fresh("first-events"), list[Row]()
        self.connections: list[pika.BlockingConnection] = []

    def open(self) -> None:
        try:
            # A pika connection belongs to one thread: one to send with, one to receive with.
            for _ in range(2):
                self.connections.append(pika.BlockingConnection(self.parameters))
        except (AMQPError, OSError) as error:
            raise BrokerError(f"RabbitMQ does not answer: {error!r}.", _DOCTOR) from error
        self.out, self.incoming = (connection.channel() for connection in self.connections)
        self.out.confirm_delivery()  # basic_publish now returns when RabbitMQ has the event safe
        self.incoming.basic_qos(prefetch_count=100)

    def send(self, bodies: list[bytes], stop: threading.Event) -> None:
        for seq, body in enumerate(bodies):
            sleep_until(self.rows[seq]["due_s"])
            if stop.is_set():
                return
            self.rows[seq]["published_s"] = time.perf_counter()
            properties = pika.BasicProperties(message_id=str(seq), delivery_mode=2)
            try:
                self.out.basic_publish("", self.queue, body, properties, mandatory=True)
            except AMQPError as error:
                raise BrokerError(f"RabbitMQ did not take an event: {error!r}.", _DOCTOR) from error
            self.rows[seq]["confirmed_s"] = time.perf_counter()

    def receive(self, stop: threading.Event, deadline_s: float) -> None:
        missing = len(self.rows)
        try:
            for method, properties, body in self.incoming.consume(self.queue, inactivity_timeout=0.1):
                now = time.perf_counter()
                if method is not None:
                    _received(self.rows[int(properties.message_id)], body, now)
                    self.incoming.basic_ack(method.delivery_tag)
                    missing -= 1
                if not missing or stop.is_set():
                    break
                if now > deadline_s:
                    raise _not_back("RabbitMQ", missing, len(self.rows))
            self.incoming.cancel()
        except AMQPError as error:
            raise BrokerError(f"RabbitMQ went away: {error!r}.", _DOCTOR) from error

    def close(self) -> None:
        for connection in self.connections:
            with suppress(AMQPError):  # a broker that is gone has been reported already
                connection.close()


def sleep_until(due_s: float) -> None:
    """Sleep until `due_s` on `time.perf_counter`'s clock; at once when that has passed."""
    if (left := due_s - time.perf_counter()) > 0:
        time.sleep(left)


def _seq(message: Message) -> int:
    return int(message.key() or b"")


def _received(row: Row, body: bytes, now: float) -> None:
    row["received_s"] = now
    event = json.loads(body)
    row["event_id"], row["key"] = event["id"], event["subject"]


def _not_back(broker: str, missing: int, total: int, trouble: str = "") -> NotInTimeError:
    within = f"within {patience.seconds(TIMEOUT_S):g} s of the last"
    return NotInTimeError(
        f"{missing} of {total} events did not come back from {broker} {within}{trouble}.",
        "look at `python -m labkit status`; a very busy machine may need a lower rate",
    )
