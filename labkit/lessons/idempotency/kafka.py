"""Lesson 09 on Kafka: one topic with one partition, and a consumer that can be gone at any point."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from time import monotonic
from typing import Any

import confluent_kafka as ck

from labkit.base import names, patience
from labkit.base.errors import BrokerError
from labkit.brokers import kafka
from labkit.brokers.kafka.topics import CURE
from labkit.events.trace import Trace, Tracer
from labkit.lessons.idempotency.crashes import SERVICE
from labkit.lessons.idempotency.reading import TIMEOUT_S, Backend, Delivery

_POLL_S = 0.2


class Reader:
    """A consumer of one partition. joins: as a member of the group; else it takes the group's place without joining.

    Joining takes a tenth of a second at every restart, and says nothing about what was committed.
    """

    def __init__(
        self, config: Mapping[str, Any], topic: str, trace: Tracer, joins: bool = False, **settings: Any
    ) -> None:
        if joins:
            settings |= {"instance": "one", "session_timeout_ms": 3000, "heartbeat_interval_ms": 500}
        # Kafka forgets the group with its topic. Nobody deletes it: a member that was killed is still in it.
        group = f"{SERVICE}-{topic}"
        self.consumer = kafka.Consumer(config, group, [topic], trace, SERVICE, fetch_wait_max_ms=20, **settings)
        if not joins:
            self.consumer.client.unsubscribe()
            self.consumer.client.assign([ck.TopicPartition(topic, 0, ck.OFFSET_STORED)])

    def deliveries(self) -> Iterator[Delivery | None]:
        """Events as they come, and None now and then while none comes. Raises BrokerError after 10 s of silence."""
        timeout_s, since_s = patience.seconds(TIMEOUT_S), monotonic()
        while True:
            received = self.consumer.poll(_POLL_S)
            if received is not None:
                yield Delivery(received.event, False, received, partial(self.consumer.handled, received))
                since_s = monotonic()
                continue
            yield None
            if monotonic() - since_s > timeout_s:
                raise BrokerError(f"Kafka has sent nothing for {timeout_s:g} s. {self.consumer.trouble}".strip(), CURE)

    def ack(self, delivery: Delivery) -> None:
        """This event and all before it are done."""
        self.consumer.commit(delivery.received)

    def close(self) -> None:
        self.consumer.close()


@contextmanager
def backend(config: Mapping[str, Any], trace: Trace) -> Iterator[Backend]:
    """The topics of a run, for the length of a `with`."""
    name = names.fresh("payments")
    with (
        kafka.temporary_topics(config, {name: 1, f"{name}.taken": 1}),
        kafka.Producer(config, trace, "checkout", linger_ms=1) as producer,
    ):
        reader = partial(Reader, config, name, trace)
        yield Backend(name, producer.publish, producer.flush, lambda *_: reader(), partial(messages, config))


def messages(config: Mapping[str, Any], topic: str, isolation_level: str = "read_committed") -> list[bytes]:
    """What is in the topic now. Raises BrokerError, NotInTimeError."""
    return [one.value() or b"" for one in kafka.read_all(config, topic, isolation_level=isolation_level)]
