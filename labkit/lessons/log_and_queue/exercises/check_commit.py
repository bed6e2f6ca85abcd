"""Four messages in a partition for a handler that has to say how far it is: on Kafka, and on a list in its place.

order-2 cannot be reserved the first time, and one message is no order. A handler that raises is a process that dies:
the next one begins where the group has committed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from labkit.lessons.log_and_queue.exercises.check_settle import POISON, Store
from labkit.teach.checks.answer import EndlessError
from labkit.teach.checks.consumer import Delivery, Story, raised

if TYPE_CHECKING:
    from confluent_kafka import TopicPartition

BODIES = (b"order-1", b"order-2", POISON, b"order-4")
TOPIC = "orders"
READS = 10  # more than any good handler needs
COMMITTED, SOUGHT = "committed", "sought"

Commit = Callable[[Any, Any, Callable[[bytes], None], Callable[[bytes, str], None]], Any]


@dataclass
class LogStory(Story):
    """A story with the group's place at the end: the offset at which the next process would begin."""

    committed: int = 0


class Reader(Protocol):
    """A partition and a group's place in it. `consumer` is what the handler gets, in a coat."""

    consumer: Any

    def read(self) -> Any: ...
    def committed(self) -> int: ...
    def restart(self, offset: int) -> None: ...


class CommittingConsumer:
    """confluent_kafka's consumer, which notes commits and seeks. Every commit is waited for: the check looks at it."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self.did: list[str] = []
        self.next = 0

    def commit(self, message: Any = None, offsets: Any = None, asynchronous: bool = True) -> Any:
        given = {"message": message} if message is not None else {"offsets": offsets} if offsets is not None else {}
        answer = self._consumer.commit(**given, asynchronous=False)
        self.did.append(COMMITTED)
        return answer

    def seek(self, partition: "TopicPartition") -> None:
        self._consumer.seek(partition)
        self.next = partition.offset
        self.did.append(SOUGHT)

    def __getattr__(self, verb: str) -> Any:
        return getattr(self._consumer, verb)


@dataclass
class ListMessage:
    """confluent_kafka's Message, as far as an exercise needs it."""

    _value: bytes
    _offset: int

    def value(self) -> bytes:
        return self._value

    def topic(self) -> str:
        return TOPIC

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self._offset

    def key(self) -> None:
        return None

    def error(self) -> None:
        return None


@dataclass
class ListConsumer:
    """A partition made of a list, with confluent_kafka's verbs. A stand-in: nothing is sent anywhere."""

    place: int = 0
    at: int = 0
    consumer: Any = field(init=False)

    def __post_init__(self) -> None:
        self.consumer = self

    def commit(self, message: Any = None, offsets: Sequence[Any] | None = None, asynchronous: bool = True) -> Any:
        if message is not None:
            self.place = message.offset() + 1
        elif offsets is not None:
            self.place = offsets[0].offset
        else:
            self.place = self.at
        return None

    def seek(self, partition: "TopicPartition") -> None:
        self.at = partition.offset

    def read(self) -> ListMessage:
        message = ListMessage(BODIES[self.at], self.at)
        self.at += 1
        return message

    def committed(self) -> int:
        return self.place

    def restart(self, offset: int) -> None:
        self.at = offset


def on_a_list(commit: Commit) -> LogStory:
    """What becomes of the four on a partition made of a list."""
    story = LogStory()
    return try_out(commit, ListConsumer(), story, story.dead.append)


def on_kafka(commit: Commit, config: Mapping[str, Any]) -> LogStory:
    """The same on a real topic of one partition. Raises BrokerError."""
    from labkit.teach.checks.partition import partition

    story = LogStory()
    with partition(config, BODIES) as (reader, send, sent):
        try_out(commit, reader, story, send)
        story.dead = sent()
    return story


def try_out(commit: Commit, reader: Reader, story: LogStory, send: Callable[[bytes], None]) -> LogStory:
    """Read to the end, or until it is plain that there is none."""
    store, consumer = Store(story, never=()), CommittingConsumer(reader.consumer)

    def dead_letter(raw: bytes, why: str) -> None:
        send(bytes(raw))
        store.did.append("dead letter")

    while consumer.next < len(BODIES) and len(story.deliveries) < READS:
        message = reader.read()
        consumer.did = store.begin()
        consumer.next = message.offset() + 1
        try:
            commit(consumer, message, store.reserve, dead_letter)
        except (Exception, EndlessError) as problem:
            consumer.did.append(raised(problem))
            consumer.next = reader.committed()
            reader.restart(consumer.next)
        story.deliveries.append(Delivery(message.value(), tuple(consumer.did)))
    story.committed = reader.committed()
    return story
