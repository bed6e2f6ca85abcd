"""One life of the consumer, on either broker: take, acknowledge, and be gone without a word.

Closing without an acknowledgement is what a crash looks like to a broker: what was not acknowledged comes again, from
the group's committed offset (Kafka), from the queue (RabbitMQ). `kill` proves that a real kill gives the same counts.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Any

import confluent_kafka as ck
import pika
from pika.exceptions import AMQPError

from labkit.base.errors import BrokerError
from labkit.brokers import kafka, rabbitmq
from labkit.brokers.rabbitmq.topology import BROKER, CURE, refused
from labkit.events.event import Event
from labkit.events.trace import RECEIVED, Tracer
from labkit.lessons.idempotency.crashes import SERVICE

QUEUE_TYPE = "classic"  # a quorum queue gives up a message after 20 returns, and a run may crash more often
_PATIENCE_S = 10.0
_POLL_S = 0.2
_DRAINED_S = 0.3  # automatic ack: nothing for so long means that the queue is empty


def counts(messages: Iterable[bytes]) -> dict[str, int]:
    """order -> how many of these messages are an event of it."""
    return dict(Counter(Event.from_bytes(one).subject for one in messages))


@dataclass(slots=True)
class Delivery:
    """An event in the hands of a consumer. said: the broker's own form of it. handled: writes that the effect stays."""

    event: Event
    redelivered: bool
    said: Any
    handled: Callable[[], None]


class KafkaReader:
    """A consumer of one partition. joins: as a member of the group; else it takes the group's place without joining.

    Joining takes a tenth of a second at every restart, and says nothing about what was committed.
    """

    def __init__(
        self, config: Mapping[str, Any], topic: str, group: str, trace: Tracer, joins: bool = False, **settings: Any
    ) -> None:
        member: dict[str, Any] = (
            {"instance": "one", "session_timeout_ms": 3000, "heartbeat_interval_ms": 500} if joins else {}
        )
        self._consumer = kafka.Consumer(
            config, group, [topic], trace, SERVICE, fetch_wait_max_ms=20, **member, **settings
        )
        if not joins:
            self._consumer.client.unsubscribe()
            self._consumer.client.assign([ck.TopicPartition(topic, 0, ck.OFFSET_STORED)])

    def deliveries(self, idle_s: float = _PATIENCE_S) -> Iterator[Delivery | None]:
        """Events as they come, and None now and then while none comes. Raises BrokerError after `idle_s` of silence."""
        since = monotonic()
        while True:
            received = self._consumer.poll(_POLL_S)
            if received is not None:
                yield Delivery(received.event, False, received, partial(self._consumer.handled, received))
                since = monotonic()
                continue
            yield None
            if monotonic() - since > idle_s:
                raise BrokerError(f"Kafka has sent nothing for {idle_s:g} s. {self._consumer.trouble}".strip(), CURE)

    def ack(self, delivery: Delivery) -> None:
        """This event and all before it are done."""
        self._consumer.commit(delivery.said)

    def close(self) -> None:
        self._consumer.close()


class RabbitMQReader:
    """A consumer of one queue. automatic: RabbitMQ forgets an event as soon as it has sent it."""

    def __init__(
        self,
        parameters: pika.ConnectionParameters,
        queue: str,
        trace: Tracer,
        prefetch: int = 20,
        automatic: bool = False,
    ) -> None:
        self._consumer = rabbitmq.Consumer(parameters, queue, trace, SERVICE, prefetch, x_queue_type=QUEUE_TYPE)
        self._automatic, self._trace, self._acked = automatic, trace, 0

    def deliveries(self, idle_s: float = _PATIENCE_S) -> Iterator[Delivery | None]:
        """Events as they come. Raises BrokerError after `idle_s` of silence; automatic: it ends when the queue is
        empty."""
        if self._automatic:
            yield from self._pushed()
            return
        for received in self._consumer.events(idle_s):
            handled = partial(self._consumer.handled, received)
            yield Delivery(received.event, received.redelivered, received, handled)
        raise BrokerError(f"RabbitMQ has sent nothing for {idle_s:g} s.", CURE)

    def _pushed(self) -> Iterator[Delivery | None]:
        queue, tag = self._consumer.queue, 0
        try:
            for method, _, body in self._consumer.client.consume(queue, auto_ack=True, inactivity_timeout=_DRAINED_S):
                if method is None:
                    return
                event, tag = Event.from_bytes(body), tag + 1
                self._trace.add(RECEIVED, event.subject, event.seq, event.id, queue, -1, SERVICE, BROKER)
                received = rabbitmq.Received(event, body, tag, method.redelivered)
                yield Delivery(event, method.redelivered, received, partial(self._consumer.handled, received))
        except AMQPError as error:
            raise refused(error) from error

    def ack(self, delivery: Delivery) -> None:
        """This event and all before it are done."""
        tag = delivery.said.tag
        if tag == self._acked + 1:
            self._consumer.ack(delivery.said)
        else:
            try:
                self._consumer.client.basic_ack(tag, multiple=True)
            except AMQPError as error:
                raise refused(error) from error
        self._acked = tag

    def close(self) -> None:
        self._consumer.close()
