"""The one who publishes."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Self

import confluent_kafka as ck

from labkit.base.errors import BrokerError
from labkit.brokers.kafka import bare
from labkit.brokers.kafka.topics import BROKER, CURE, Channels, dotted, said, step_timeout_s
from labkit.events.event import Event
from labkit.events.trace import CONFIRMED, FAILED, PUBLISHED, Tracer

NO_KEY = ""  # for `publish`: the client spreads such events over the partitions as it likes


class Producer:
    """Publishes events, and knows which ones Kafka has confirmed.

    config: `lab.kafka_config()`. settings: more of librdkafka's; by default every copy must confirm (acks=all), and
    an event that is not confirmed within 10 s is refused. who: for the trace. Close it, or use it in a `with`.
    refused: what Kafka did not take, as (event, reason). Confirmations arrive in `publish`, `poll` and `flush`.
    """

    def __init__(self, config: Mapping[str, Any], trace: Tracer | None = None, who: str = "", **settings: Any) -> None:
        self.client = bare.producer(config, **dotted(settings))
        self.refused: list[tuple[Event, str]] = []
        self._add = trace.add if trace is not None else None
        self._who = who
        self._channels = Channels()

    def publish(
        self, event: Event, topic: str, key: str | None = None, on_confirmed: Callable[[str], None] | None = None
    ) -> None:
        """Hand the event to the client, which sends it soon. Waits only while the client's queue is full.

        key: events with the same key keep their order; by default the event's subject. NO_KEY: none at all.
        on_confirmed: called with "" when Kafka has the event, else with the reason.
        """
        key = event.subject if key is None else key
        raw = event.to_bytes()
        if self._add:
            self._add(PUBLISHED, event.subject, event.seq, event.id, topic, -1, self._who, BROKER, event.type)
        tell = partial(self._told, event, on_confirmed)
        while True:
            try:
                self.client.produce(topic, raw, key or None, on_delivery=tell)
                break
            except BufferError:
                self.client.poll(0.05)
            except ck.KafkaException as error:
                raise BrokerError(f"Kafka's client took no event for {topic}: {said(error)}.", CURE) from error
        self.client.poll(0)

    def _told(self, event: Event, on_confirmed: Callable[[str], None] | None, error: Any, message: ck.Message) -> None:
        reason = ""
        if error is not None:
            reason = error.str()
            self.refused.append((event, reason))
            if self._add:
                who, topic = self._who, message.topic() or ""
                self._add(FAILED, event.subject, event.seq, event.id, topic, -1, who, BROKER, reason)
        elif self._add:
            channel, offset = self._channels[message.topic(), message.partition()], message.offset()
            at = -1 if offset is None else offset
            self._add(CONFIRMED, event.subject, event.seq, event.id, channel, at, self._who, BROKER)
        if on_confirmed is not None:
            on_confirmed(reason)

    def poll(self, timeout_s: float = 0) -> int:
        """Take confirmations for up to `timeout_s` seconds; their number."""
        return self.client.poll(timeout_s)

    def flush(self, timeout_s: float | None = None) -> None:
        """Wait until every event is confirmed. Raises BrokerError when one was refused, or the time is over."""
        timeout_s = step_timeout_s() if timeout_s is None else timeout_s
        left = self.client.flush(timeout_s)
        if self.refused:
            event, reason = self.refused[0]
            refused, self.refused = self.refused, []
            many = f"{len(refused)} events" if len(refused) > 1 else "an event"
            raise BrokerError(f"Kafka did not take {many}, first {event.type} of {event.subject}: {reason}.", CURE)
        if left:
            raise BrokerError(f"Kafka has not confirmed {left} events within {timeout_s:g} s.", CURE)

    def close(self) -> None:
        """Flush, then drop what is left. Raises as `flush`."""
        try:
            self.flush()
        finally:
            self.client.purge()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """`close`; after an error there is nothing to wait for."""
        if kind is None:
            self.close()
        else:
            self.client.purge()
