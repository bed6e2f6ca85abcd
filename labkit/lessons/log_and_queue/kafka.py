"""A Kafka topic, read by the members of a group, or by a group each: poll, handle, commit."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import confluent_kafka as ck

from labkit.base import wait
from labkit.base.names import fresh
from labkit.brokers import kafka
from labkit.events.event import Event
from labkit.events.trace import Trace
from labkit.lessons.log_and_queue.backends import TIMEOUT_S, TRIES, TURN_S, Reader
from labkit.lessons.log_and_queue.orders import Read


class Topic:
    """share: the readers are one group; otherwise each is a group of its own."""

    look = "kafka"

    def __init__(self, config: Mapping[str, Any], trace: Trace, share: bool, partitions: int) -> None:
        self.config, self.trace, self.shares, self.partitions = config, trace, share, partitions
        self.topic = fresh("orders")

    @contextmanager
    def made(self) -> Iterator[None]:
        with kafka.temporary_topics(self.config, {self.topic: self.partitions}):
            self.producer = kafka.Producer(self.config, self.trace, who="shop")  # early: its id can take half a second
            try:
                yield
            finally:
                self.producer.client.purge()

    def open(self, names: Sequence[str]) -> list[Reader]:
        members: list[GroupMember] = []
        busy = min(len(names), self.partitions) if self.shares else len(names)
        wanted = self.partitions if self.shares else self.partitions * len(names)

        def agreed() -> bool:
            mine = [member.partitions() for member in members]
            return sum(mine) == wanted and sum(count > 0 for count in mine) == busy

        with ExitStack() as end:
            members += [end.enter_context(closing(self.again(name))) for name in names]
            wait.until(agreed, TIMEOUT_S, "the members of the group have shared out the partitions", every_s=0)
            end.pop_all()  # they stay
        return list(members)

    def publish(self, events: Sequence[Event]) -> None:
        for event in events:
            self.producer.publish(event, self.topic, key=event.data["country"])
        self.producer.flush()

    def again(self, name: str) -> "GroupMember":
        read = Read(self.look, name)
        group = self.topic if self.shares else f"{self.topic}-{read.place}"
        return GroupMember(self.config, group, self.topic, read, self.trace, self.shares)

    def wait_for_dead_letters(self, dead: int) -> None:
        """Whoever gave up has published the dead letter itself, and has waited for the confirm."""

    def late(self, name: str) -> Read:
        with closing(self.again(name)) as member:
            wait.until(member.read_on, TIMEOUT_S, "the late reader is at the end", every_s=0)
            return member.read


class GroupMember:
    """Who fails and wants another try seeks back, and counts the tries itself."""

    def __init__(
        self, config: Mapping[str, Any], group: str, topic: str, read: Read, trace: Trace, shared: bool
    ) -> None:
        self.read = read
        self.client = kafka.Consumer(
            config,
            group,
            [topic],
            trace,
            who=read.who(shared),
            client_id=read.place.replace(" ", "-"),  # Kafka shares out by it: so each run shares out alike
            heartbeat_interval_ms=200,  # with it the others hear that one has left
        )
        self._last: kafka.Received | None = None
        self._early = deque[kafka.Received]()

    def partitions(self) -> int:
        """How many partitions the group has given to this member."""
        if (came := self.client.poll(TURN_S)) is not None:
            self._early.append(came)
        return len(self.client.assigned)

    def read_on(self) -> bool:
        """Read what is there. True: it has a partition, and in none is anything that the group has not committed."""
        if not self.partitions():
            return False
        while self.take() is not None:
            self.done()
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
        self.client.dead_letter(last, f"failed {TRIES} times")
        self.client.commit(last)
        self.read.dead.add(last.event.seq)

    def close(self) -> None:
        self.client.close()
