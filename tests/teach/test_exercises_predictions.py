"""What the predicting exercises of lessons 02 and 03 call right is what the real brokers do."""

from collections.abc import Iterator
from typing import Any

import confluent_kafka as ck
import pika
import pytest

from labkit import lab
from labkit.base.names import fresh
from labkit.base.wait import until
from labkit.brokers.kafka.topics import create_topics, delete_topics, quiet
from labkit.lessons.log_and_queue import exercises as log_and_queue
from labkit.lessons.publish_and_subscribe import exercises as publish_and_subscribe
from labkit.lessons.publish_and_subscribe.exercises import latecomers as lateness
from labkit.lessons.publish_and_subscribe.exercises.check_groups import read

pytestmark = pytest.mark.usefixtures("brokers")

N = 8
ORDERS = [f"order-{n}" for n in range(N)]


@pytest.fixture
def topic() -> Iterator[str]:
    name = fresh("prediction")
    create_topics(lab.kafka_config(), {name: 1})
    yield name
    delete_topics(lab.kafka_config(), [name])


@pytest.fixture
def exchange() -> Iterator[Any]:
    """A channel, and the name of a fanout exchange."""
    name = fresh("prediction")
    with pika.BlockingConnection(lab.rabbitmq_parameters()) as connection:
        channel = connection.channel()
        channel.exchange_declare(name, "fanout")
        channel.confirm_delivery()
        yield channel, name
        for queue in (name, f"{name}.2"):
            channel.queue_delete(queue)
        channel.exchange_delete(name)


def produce(topic: str, values: list[str]) -> None:
    producer = ck.Producer(quiet(lab.kafka_config()))
    for value in values:
        producer.produce(topic, value)
    assert producer.flush(10) == 0


class Member:
    """The only member of a group; it is there once it has read to the end."""

    def __init__(self, topic: str, group: str, reset: str = "earliest") -> None:
        settings = {"group.id": group, "auto.offset.reset": reset, "enable.auto.commit": False}
        self.client = ck.Consumer({**quiet(lab.kafka_config()), **settings, "enable.partition.eof": True})
        self.client.subscribe([topic])
        self.topic, self.got = topic, 0

    def to_the_end(self) -> None:
        place = ck.TopicPartition(self.topic, 0)
        end = self.client.get_watermark_offsets(place, timeout=20)[1]
        until(lambda: self._at(end), 20, "the member has read to the end", every_s=0)

    def _at(self, end: int) -> bool:
        message = self.client.poll(0.5)
        if message is not None and message.error() is None:
            self.got += 1
        # The end may be told before the last event has come: then it is told again.
        return message is not None and message.error() is not None and (message.offset() or 0) >= end

    def leave(self, commit: bool = True) -> None:
        if commit and self.got:
            self.client.commit(asynchronous=False)
        self.client.close()


def everything(channel: Any, queue: str, ack: bool = True) -> int:
    count = 0
    while channel.basic_get(queue, auto_ack=ack)[0]:
        count += 1
    return count


@pytest.mark.parametrize("case", lateness.CASES, ids=str)
def test_every_case_is_in_order_and_who_goes_away_has_read_something(case: tuple[int, int, int, int]) -> None:
    came, left, back, n = case
    assert 0 <= came <= left <= back <= n
    assert left == back or came < left  # a group that has committed nothing would begin anew


@pytest.mark.parametrize("case", [lateness.CASES[0], *lateness.CASES[3:]], ids=str)
@pytest.mark.parametrize("kind", [lateness.EARLIEST, lateness.LATEST])
def test_a_group_gets_what_the_exercise_says(topic: str, kind: str, case: tuple[int, int, int, int]) -> None:
    came, left, back, n = case
    events, got = [f"event {number}" for number in range(n)], 0
    produce(topic, events[:came])
    for begin, end, away_until in [(came, left, back), (back, n, n)] if left < back else [(came, n, n)]:
        member = Member(topic, topic, kind.split()[0])
        member.to_the_end()
        if begin < end:
            produce(topic, events[begin:end])
            member.to_the_end()
        got += member.got
        member.leave()
        produce(topic, events[end:away_until])
    assert got == publish_and_subscribe.late.answer(kind, *case)


@pytest.mark.parametrize("case", lateness.CASES, ids=str)
@pytest.mark.parametrize("kind", [lateness.DURABLE, lateness.EXCLUSIVE])
def test_a_queue_gets_what_the_exercise_says(exchange: Any, kind: str, case: tuple[int, int, int, int]) -> None:
    publisher, name = exchange
    came, left, back, n = case
    got, exclusive = 0, kind == lateness.EXCLUSIVE

    def publish(first: int, last: int) -> None:
        for number in range(first, last):
            publisher.basic_publish(name, "", str(number))

    publish(0, came)
    for begin, end, away_until in [(came, left, back), (back, n, n)] if left < back else [(came, n, n)]:
        with pika.BlockingConnection(lab.rabbitmq_parameters()) as connection:
            channel = connection.channel()
            channel.queue_declare(name, durable=True, exclusive=exclusive)
            channel.queue_bind(name, name)
            publish(begin, end)
            got += everything(channel, name)
        publish(end, away_until)
    assert got == publish_and_subscribe.late.answer(kind, *case)


# --- lesson 03


def said(situation: str) -> tuple[int, int]:
    return log_and_queue.predict.answer()[situation]


def filled(channel: Any, name: str, *queues: str, **arguments: Any) -> None:
    for queue in queues:
        channel.queue_declare(queue, durable=True, arguments=arguments or None)
        channel.queue_bind(queue, name)
    for order in ORDERS:
        channel.basic_publish(name, "", order)


def test_readers_of_a_queue_share_it_and_an_ack_takes_out(exchange: Any) -> None:
    channel, name = exchange
    filled(channel, name, name)
    a = b = 0
    while channel.basic_get(name, auto_ack=True)[0]:
        a, b = a + 1, b + (channel.basic_get(name, auto_ack=True)[0] is not None)
    assert (a, b) == said("queue, A and B take turns")
    filled(channel, name, name)
    assert (everything(channel, name), everything(channel, name)) == said("queue, A acks all, then B")
    filled(channel, name, name)
    with pika.BlockingConnection(lab.rabbitmq_parameters()) as connection:
        a = everything(connection.channel(), name, ack=False)
    assert (a, everything(channel, name)) == said("queue, A acks none and dies, then B")
    filled(channel, name, name, f"{name}.2")
    assert (everything(channel, name), everything(channel, f"{name}.2")) == said("two queues on a fanout")


@pytest.mark.parametrize("groups", ["one group", "two groups"])
@pytest.mark.parametrize("partitions", [1, 2])
def test_groups_copy_and_members_share(groups: str, partitions: int) -> None:
    of = {"A": "1", "B": "1" if groups == "one group" else "2"}
    got = read(lab.kafka_config(), of, ORDERS, partitions)
    expected = (
        said(f"one group, {partitions} partition{'s'[: partitions - 1]}")
        if len(set(of.values())) == 1
        else said(groups)
    )
    assert sorted(map(len, got.values()), reverse=True) == list(expected)


@pytest.mark.parametrize(("commits", "word"), [(True, "commits all, then B"), (False, "commits none and dies, then B")])
def test_a_commit_moves_the_place_of_a_group(topic: str, commits: bool, word: str) -> None:
    produce(topic, ORDERS)
    counts = []
    for _ in "AB":
        member = Member(topic, topic)
        member.to_the_end()
        counts.append(member.got)
        member.leave(commits)
    assert tuple(counts) == said(f"one group, A {word}")


@pytest.mark.parametrize("offset", ["first", "next"])
def test_a_stream_keeps_what_was_read(exchange: Any, offset: str) -> None:
    channel, name = exchange
    filled(channel, name, name, **{"x-queue-type": "stream"})
    channel.basic_qos(prefetch_count=100)
    counts = []
    for mine in ("first", offset):
        got: list[bytes] = []
        tag = channel.basic_consume(
            name, lambda ch, method, _, body, got=got: got.append(body), arguments={"x-stream-offset": mine}
        )
        channel.basic_publish(name, "", "last")
        until(
            lambda got=got: channel.connection.process_data_events(0.1) or b"last" in got[-1:],
            20,
            "the last has come",
            every_s=0,
        )
        channel.basic_cancel(tag)
        counts.append(len([body for body in got if body != b"last"]))
    assert tuple(counts) == said(f"stream, A from first, then B from {offset}")
