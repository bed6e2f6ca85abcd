"""Where a consumer group stands in a topic: what its next reader gets, and what it does not get any more."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

import confluent_kafka as ck
from confluent_kafka.admin import AdminClient

from labkit.base.errors import BrokerError
from labkit.brokers.kafka.topics import CURE, quiet, said, step_timeout_s

_COORDINATOR_MOVES = (
    ck.KafkaError.NOT_COORDINATOR,
    ck.KafkaError.COORDINATOR_NOT_AVAILABLE,
    ck.KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
)


@dataclass(frozen=True)
class GroupPosition:
    """A group in a topic. begin, end: of each partition, the oldest offset and the next one to be written.

    committed: partition -> the offset at which the group goes on; partitions without a commit are not in it.
    """

    group: str
    topic: str
    begin: Mapping[int, int]
    end: Mapping[int, int]
    committed: Mapping[int, int]

    @property
    def used(self) -> bool:
        """True: somebody of this group has read and committed before. Its name is not a fresh one."""
        return bool(self.committed)

    @property
    def waiting(self) -> int:
        """How many of the events that are there now the group would still get (it begins with the oldest)."""
        begins = {partition: self.committed.get(partition, begin) for partition, begin in self.begin.items()}
        return sum(max(0, end - max(begins[partition], self.begin[partition])) for partition, end in self.end.items())

    @property
    def kept(self) -> int:
        """How many events the topic holds."""
        return sum(self.end[partition] - begin for partition, begin in self.begin.items())

    def __str__(self) -> str:
        if not self.used:
            return f"The group {self.group} has committed nothing in {self.topic}: it gets all {self.kept} events."
        where = ", ".join(f"offset {offset} of partition {p}" for p, offset in sorted(self.committed.items()))
        gets = f"{self.waiting} of {self.kept} events" if self.waiting else f"none of the {self.kept} events"
        return (
            f"The group {self.group} has read {self.topic} before and goes on at {where}: it gets {gets}. "
            "A group of another name begins with the oldest."
        )


def group_position(config: Mapping[str, Any], group: str, topic: str) -> GroupPosition:
    """Where the group stands, without joining it. Print it: a reader with a used name may get nothing.

    Raises BrokerError when the topic is not there, or Kafka does not answer.
    """
    consumer = ck.Consumer({"group.id": group, "enable.auto.commit": False, **quiet(config)})
    try:
        found = consumer.list_topics(topic, step_timeout_s()).topics[topic]
        if found.error is not None:
            raise BrokerError(f"There is no topic {topic} to stand in: {found.error.str()}.", CURE)
        places = [ck.TopicPartition(topic, partition) for partition in sorted(found.partitions)]
        marks = {place.partition: consumer.get_watermark_offsets(place, step_timeout_s()) for place in places}
        committed = {at.partition: at.offset for at in _committed(consumer, places) if at.offset >= 0}
    except ck.KafkaException as error:
        raise BrokerError(f"Kafka does not say where {group} stands in {topic}: {said(error)}.", CURE) from error
    finally:
        consumer.close()
    begin = {partition: low for partition, (low, _) in marks.items()}
    return GroupPosition(group, topic, begin, {partition: high for partition, (_, high) in marks.items()}, committed)


def _committed(consumer: ck.Consumer, places: list[ck.TopicPartition]) -> list[ck.TopicPartition]:
    """What is committed. A Kafka that has only just started moves the groups' coordinator: it is asked again."""
    end = monotonic() + step_timeout_s()
    while True:
        try:
            return list(consumer.committed(places, step_timeout_s()))
        except ck.KafkaException as error:
            if error.args[0].code() not in _COORDINATOR_MOVES or monotonic() >= end:
                raise
            consumer.poll(0.05)  # the client looks for the coordinator meanwhile


def list_groups(config: Mapping[str, Any]) -> list[str]:
    """The names of all consumer groups that Kafka knows. Raises BrokerError."""
    admin = AdminClient(quiet(config))
    try:
        found = admin.list_consumer_groups(request_timeout=step_timeout_s()).result()
    except ck.KafkaException as error:
        raise BrokerError(f"Kafka does not tell its groups: {said(error)}.", CURE) from error
    return [group.group_id for group in found.valid]


def delete_groups(config: Mapping[str, Any], groups: Iterable[str]) -> None:
    """Let Kafka forget these consumer groups: how far they were. One that is not there is no error.

    A group that still has members cannot be deleted: close its consumers first. Raises BrokerError.
    """
    names = list(groups)
    admin = AdminClient(quiet(config))
    deleted = admin.delete_consumer_groups(names, request_timeout=step_timeout_s()) if names else {}
    for name, future in deleted.items():
        try:
            future.result()
        except ck.KafkaException as error:
            if error.args[0].code() != ck.KafkaError.GROUP_ID_NOT_FOUND:
                raise BrokerError(f"Kafka did not delete the group {name}: {said(error)}.", CURE) from error


def all_assigned(members: Sequence[ck.Consumer], partitions: int) -> bool:
    """Poll each of these once: whether all of them have partitions now, and so many together.

    To be asked while the topic is still empty: an event that a poll brought would be lost. The first member of a group
    could otherwise have read everything before the second is there.
    """
    for member in members:
        member.poll(0.02)
    held = [len(member.assignment()) for member in members]
    return all(held) and sum(held) == partitions
