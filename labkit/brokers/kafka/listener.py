"""A consumer in a task of its own: what frameworks call a listener."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import confluent_kafka as ck

from labkit.base.cleanup import cleanup
from labkit.base.errors import BrokerError
from labkit.base.tasks import TaskGroup
from labkit.brokers.kafka.consumer import Consumer, Received
from labkit.brokers.kafka.topics import CURE, count_partitions, said
from labkit.events.trace import Tracer

_POLL_S = 0.05  # how long it takes at most until a listener sees that it is to end


class Listener:
    """Joins a group in a task of its own, and hands every event to `handle`, one by one, until the tasks are done.

    handle(received, consumer) says itself how far the group is: `consumer.commit(received)`. What it raises ends the
    tasks, and is raised where they are waited for; so is what Kafka says. at_end: called in the same thread after the
    last event, before the consumer leaves its group. settings: as for `Consumer`.
    assigned: the partitions that the group has given to it, as (topic, partition).
    """

    def __init__(
        self,
        tasks: TaskGroup,
        config: Mapping[str, Any],
        group: str,
        topics: str | Sequence[str],
        handle: Callable[[Received, Consumer], object],
        trace: Tracer | None = None,
        who: str = "",
        at_end: Callable[[], object] | None = None,
        **settings: Any,
    ) -> None:
        self.config, self.group = config, group
        self.topics = [topics] if isinstance(topics, str) else list(topics)
        self._done, self._handle, self._at_end = tasks.done, handle, at_end or _nothing
        self._consumer: Consumer | None = None
        tasks.start(self._listen, trace, who, settings, name=f"listener {who or group}")

    @property
    def assigned(self) -> frozenset[tuple[str, int]]:
        return self._consumer.assigned if self._consumer is not None else frozenset()

    def _listen(self, trace: Tracer | None, who: str, settings: dict[str, Any]) -> None:
        try:
            self._consumer = consumer = Consumer(self.config, self.group, self.topics, trace, who, **settings)
            try:
                self._read(consumer)
            finally:
                consumer.close()
        except ck.KafkaException as error:  # of the bare client, in `handle`
            raise BrokerError(f"Kafka refused what {who or self.group} asked: {said(error)}.", CURE) from error

    def _read(self, consumer: Consumer) -> None:
        poll, handle, is_done = consumer.poll, self._handle, self._done.is_set
        with cleanup(self._at_end):
            while not is_done():
                received = poll(_POLL_S)
                if received is not None:
                    handle(received, consumer)


def _nothing() -> None:
    pass


def wait_until_assigned(tasks: TaskGroup, *listeners: Listener, within_s: float = 20.0) -> None:
    """Until every group has shared out all partitions of its topics, and every member that can have one has one.

    An event that is published before waits in its topic; but the first member of a group could read all of them before
    the second is there. Raises the error of a task, BrokerError, NotInTimeError.
    """
    groups: dict[str, list[Listener]] = {}
    for listener in listeners:
        groups.setdefault(listener.group, []).append(listener)
    topics = {topic for listener in listeners for topic in listener.topics}
    counts = {topic: count_partitions(listeners[0].config, topic) for topic in topics}

    def agreed() -> bool:
        return all(_shared_out(members, counts) for members in groups.values())

    tasks.wait(agreed, within_s, "every partition has its consumer")


def _shared_out(members: list[Listener], counts: Mapping[str, int]) -> bool:
    mine = {topic: counts[topic] for member in members for topic in member.topics}
    held = [len(member.assigned) for member in members]
    busy = min(len(members), max(mine.values()))  # Kafka's default shares out topic by topic, from the first member on
    return sum(held) == sum(mine.values()) and sum(map(bool, held)) >= busy
