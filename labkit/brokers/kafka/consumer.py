"""The one who reads."""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any

import confluent_kafka as ck

from labkit.base.errors import BrokerError
from labkit.brokers.kafka.dead_letters import DeadLetter, DeadLetterProducer
from labkit.brokers.kafka.topics import (
    BROKER,
    CURE,
    GONE,
    Channels,
    dotted,
    quiet,
    said,
    step_timeout_s,
)
from labkit.events.event import Event, EventError
from labkit.events.trace import ACKED, DEAD, FAILED, HANDLED, RECEIVED, Tracer, now_ns

_WILL_NOT_PASS = {
    ck.KafkaError.UNKNOWN_TOPIC_OR_PART,
    ck.KafkaError.TOPIC_AUTHORIZATION_FAILED,
    ck.KafkaError.GROUP_AUTHORIZATION_FAILED,
    ck.KafkaError._MAX_POLL_EXCEEDED,
}


_LEAVE_S = 2.0  # for a broker that has not answered before

# channel, offset, key, seq, event id of what is not committed yet. Not the event itself: it could be large.
_Place = tuple[str, int, str, int, str]


@dataclass(slots=True)
class Received:
    """An event as it came. raw: its bytes. The place: topic, partition, offset."""

    event: Event
    raw: bytes
    topic: str
    partition: int
    offset: int


class Consumer:
    """Reads topics as a member of a group. The group remembers how far it is, when you `commit`.

    instance: keeps this member's place when it restarts (`group.instance.id`). A new group begins with the oldest
    event. What cannot be read goes to `<topic>.dead`, bytes untouched, and reading goes on.
    assigned: the partitions that the group has given to this member, as (topic, partition); it changes in `poll`.
    trouble: what librdkafka said last when it could not reach the broker; it keeps trying, and `poll` waits with it.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        group: str,
        topics: list[str],
        trace: Tracer | None = None,
        who: str = "",
        instance: str = "",
        **settings: Any,
    ) -> None:
        mine: dict[str, Any] = {"group.id": group, "enable.auto.commit": False, "auto.offset.reset": "earliest"}
        mine["socket.timeout.ms"] = int(step_timeout_s() * 1000)  # a commit to a dead broker waits for so long
        if instance:
            mine["group.instance.id"] = instance
        self.trouble = ""
        self._unanswered = False  # a commit that Kafka has not answered
        self._lost_s: float | None = None  # since when no broker could be reached
        self.client = ck.Consumer({**mine, **quiet(config), "error_cb": self._note, **dotted(settings)})
        self._add = trace.add if trace is not None else None
        self._who, self._channels = who or group, Channels()
        self._open: list[_Place] = []
        self._group, self._dead = group, DeadLetterProducer(config)
        self.assigned: frozenset[tuple[str, int]] = frozenset()
        self.client.subscribe(topics, on_assign=self._gain, on_revoke=self._give_up)

    def _gain(self, _: ck.Consumer, places: list[ck.TopicPartition]) -> None:
        self.assigned |= {(place.topic, place.partition) for place in places}

    def _give_up(self, _: ck.Consumer, places: list[ck.TopicPartition]) -> None:
        self.assigned -= {(place.topic, place.partition) for place in places}

    def poll(self, timeout_s: float = 1.0) -> Received | None:
        """The next event, or None when none came in time.

        Raises BrokerError for what will not pass by itself, and when Kafka could not be reached for 10 s.
        """
        end = monotonic() + timeout_s
        while True:
            message = self.client.poll(max(0.0, end - monotonic()))
            if message is None:
                self._look(step_timeout_s())
                return None
            received = self._take(message)
            if received is not None or monotonic() >= end:
                return received

    def events(self, idle_s: float = 1.0) -> Iterator[Received]:
        """Events one after the other, until none has come for `idle_s` seconds. Raises as `poll`.

        A Kafka that cannot be reached has not said that there are none: it is asked before the end.
        """
        poll, take = self.client.poll, self._take
        while (message := poll(idle_s)) is not None:
            received = take(message)
            if received is not None:
                yield received
        self._look(0)

    def _look(self, patience_s: float) -> None:
        """Nothing came. When Kafka was lost so long ago: is it back? Its client does not say so by itself."""
        if self._lost_s is None or monotonic() - self._lost_s < patience_s:
            return
        try:
            self.client.list_topics(timeout=max(1.0, step_timeout_s() - patience_s))
        except ck.KafkaException as error:
            raise BrokerError(f"Kafka sends nothing to {self._who}: {self.trouble}.", GONE) from error
        self._lost_s = None

    def _take(self, message: Any) -> Received | None:
        at = now_ns()
        if message.error() is not None:
            self._judge(message.error())
            return None
        raw = message.value()
        if raw is None:  # a tombstone: it says that the key is gone, and carries no event
            return None
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        channel = self._channels[topic, partition]
        try:
            event = Event.from_bytes(raw)
        except EventError as poison:
            self._poison(message, channel, poison.what)
            return None
        if self._add:
            key, seq, name = event.subject, event.seq, event.id
            self._add(RECEIVED, key, seq, name, channel, offset, self._who, BROKER, event.type, at)
            self._open.append((channel, offset, key, seq, name))
        return Received(event, raw, topic, partition, offset)

    def handled(self, received: Received) -> None:
        """Write down that the handler is through."""
        self._row(HANDLED, received, received.event.type)

    def failed(self, received: Received, why: str) -> None:
        """Write down that the handler gave up this time."""
        self._row(FAILED, received, why)

    def commit(self, received: Received | None = None) -> None:
        """Tell Kafka that the group is through with this event *and all before it* in its partition; None: with all.

        Returns when Kafka knows. Raises BrokerError when the group has given the partition to another member, or Kafka
        does not answer.
        """
        places = self._places(received)
        try:
            # librdkafka's own way to wait for a commit waits forever when the broker is gone. So ask what it has kept.
            self.client.commit(offsets=places, asynchronous=True)
            kept = self.client.committed(places, timeout=step_timeout_s())
        except ck.KafkaException as error:
            self._unanswered = True
            raise self._no_commit(said(error)) from error
        for wanted, has in zip(places, kept, strict=True):
            if has.offset != wanted.offset:
                raise self._no_commit(f"partition {has.partition} stands at {has.offset}, and not at {wanted.offset}")
        self._acked(received)

    def _places(self, received: Received | None) -> list[ck.TopicPartition]:
        """What a commit says: the offset of the next event, for one partition or for all that we have read from."""
        if received is not None:
            return [ck.TopicPartition(received.topic, received.partition, received.offset + 1)]
        return [place for place in self.client.position(self.client.assignment()) if place.offset >= 0]

    def _no_commit(self, why: str) -> BrokerError:
        return BrokerError(
            f"Kafka took no commit of {self._who}: {why}.",
            "the partition may belong to another member now, which gets these events again; " + CURE,
        )

    def _acked(self, received: Received | None) -> None:
        """A row for every event that the commit covers."""
        channel = self._channels[received.topic, received.partition] if received else ""
        still: list[_Place] = []
        for place in self._open:
            where, offset, key, seq, event_id = place
            if received is not None and (where != channel or offset > received.offset):
                still.append(place)
            elif self._add:
                self._add(ACKED, key, seq, event_id, where, offset, self._who, BROKER)
        self._open = still

    def dead_letter(self, received: Received, why: str) -> None:
        """Put an event that cannot be handled with the dead letters: `<topic>.dead`, bytes untouched. Then commit."""
        place = received.topic, received.partition, received.offset
        self._dead.send(DeadLetter(received.raw, None, why, self._group, *place))
        self._row(DEAD, received, why)

    def _poison(self, message: ck.Message, channel: str, why: str) -> None:
        letter = DeadLetter.for_message(message, self._group, why)
        self._dead.send(letter)
        if self._add:
            key = (letter.key or b"").decode(errors="replace")
            self._add(DEAD, key, 0, "", channel, letter.offset, self._who, BROKER, why)

    def _judge(self, error: ck.KafkaError) -> None:
        if error.fatal() or error.code() in _WILL_NOT_PASS:
            raise BrokerError(f"Kafka sends nothing to {self._who}: {error.str()}.", CURE)
        self._note(error)

    def _note(self, error: ck.KafkaError) -> None:
        self.trouble = error.str()
        if error.code() == ck.KafkaError._ALL_BROKERS_DOWN and self._lost_s is None:
            self._lost_s = monotonic()

    def _row(self, what: str, received: Received, note: str = "") -> None:
        if self._add:
            event = received.event
            channel = self._channels[received.topic, received.partition]
            self._add(what, event.subject, event.seq, event.id, channel, received.offset, self._who, BROKER, note)

    def close(self) -> None:
        """Leave the group. What was not committed, another member gets again."""
        # librdkafka waits here for an answer of the broker, forever if need be. We do not.
        leaving = threading.Thread(target=self.client.close, name=f"leave {self._who}", daemon=True)
        leaving.start()
        leaving.join(_LEAVE_S if self._unanswered or self._lost_s is not None else step_timeout_s())
