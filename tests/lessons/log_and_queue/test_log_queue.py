"""Lesson 03's run on the real brokers: eight orders, a log and a queue, and who reads what. Counts only."""

import threading
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import Any

import pandas as pd
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from labkit import lab
from labkit.base.checkpoint import reporting
from labkit.base.errors import BrokerError, SettingError
from labkit.base.names import fresh
from labkit.brokers import kafka
from labkit.brokers.rabbitmq import topology
from labkit.events import frames
from labkit.lessons import log_and_queue
from labkit.lessons.log_and_queue import processes, reading
from labkit.lessons.log_and_queue.orders import DEAD, DONE, OPEN, eight, number
from labkit.measure.result import Result

pytestmark = pytest.mark.usefixtures("brokers")

ALL = list(range(1, 9))


def times(result: Result, broker: str) -> pd.DataFrame:
    """How often each reader (row) got each order (column)."""
    mine = result.deliveries[result.deliveries["broker"] == broker]
    return mine.pivot(index="reader", columns="seq", values="times")


def test_readers_of_one_queue_and_of_one_group_share_and_a_late_one_gets_nothing() -> None:
    result = log_and_queue.run(readers=2, partitions=2)
    for broker in ("kafka", "rabbitmq"):
        got = times(result, broker)
        assert list(got.sum()) == [1] * 8
        assert list(got.sum(axis=1)[["reader 1", "reader 2", "late"]]) == [4, 4, 0]
    assert set(result.deliveries[result.deliveries["times"] == 1]["end"]) == {DONE}
    assert "late: 0" in result.sentence


def test_a_partition_has_one_reader_in_a_group() -> None:
    got = times(log_and_queue.run(kinds=["kafka"], readers=2, partitions=1, late=False), "kafka")
    assert sorted(got.sum(axis=1)) == [0, 8]


def test_a_copy_for_each_and_only_a_log_has_one_for_who_comes_late() -> None:
    result = log_and_queue.run(kinds=log_and_queue.KINDS, arrangement=log_and_queue.COPY)
    for broker, late in (("kafka", 8), ("rabbitmq", 0), ("stream", 8)):
        got = times(result, broker)
        assert (got.drop("late") == 1).all(axis=None)
        assert got.loc["late"].sum() == late


@pytest.mark.parametrize("readers", [1, 2, 3])
@pytest.mark.parametrize("arrangement", [log_and_queue.SHARE, log_and_queue.COPY])
def test_a_reader_that_dies_stays_dead_and_its_one_order_comes_to_another(arrangement: str, readers: int) -> None:
    result = log_and_queue.run(
        log_and_queue.KINDS, readers, arrangement, late=False, partitions=3, trouble=log_and_queue.DIES
    )
    for broker in ("kafka", "rabbitmq", "stream"):
        rows = result.deliveries[result.deliveries["broker"] == broker].set_index(["reader", "seq"])
        got = times(result, broker)
        alone = arrangement == log_and_queue.COPY or broker == "stream" or readers == 1
        assert ("reader 1 again" in got.index) == alone
        assert got.loc["reader 1"].sum() == 1
        (order,) = [seq for seq, count in got.loc["reader 1"].items() if count]
        assert rows.loc[("reader 1", order), "end"] == OPEN
        others = got.drop(index="reader 1")
        assert list(others.sum()) == [len(others) if alone else 1] * 8
        assert set(rows["end"].drop("reader 1", level="reader")) <= {DONE, ""}


def test_kafka_gives_its_partitions_to_the_same_readers_in_every_run() -> None:
    runs = [times(log_and_queue.run(kinds=["kafka"], readers=3, partitions=3, late=False), "kafka") for _ in range(3)]
    for one in runs:
        assert [[seq for seq, count in row.items() if count] for _, row in one.iterrows()] == [
            [4, 7],
            [2, 6],
            [1, 3, 5, 8],
        ]


def test_the_sentence_and_the_foot_say_who_read_how_many_and_that_a_stream_is_not_shared() -> None:
    result = log_and_queue.run(kinds=["queue", "stream"], late=False)
    assert result.sentence == (
        "Read of 8 orders: the queue (reader 1: 4, reader 2: 4), the stream (reader 1: 8, reader 2: 8)."
    )
    assert "readers share, except the stream's" in result.stamp()


@pytest.mark.parametrize("arrangement", [log_and_queue.SHARE, log_and_queue.COPY])
def test_an_order_that_always_fails_is_tried_four_times_and_is_then_a_dead_letter(arrangement: str) -> None:
    result = log_and_queue.run(arrangement=arrangement, late=False, trouble=log_and_queue.FAILS)
    each = 1 if arrangement == log_and_queue.SHARE else 2
    for broker in ("kafka", "rabbitmq"):
        got = times(result, broker)
        assert got[log_and_queue.FAILING].sum() == 4 * each
        assert list(got.drop(columns=log_and_queue.FAILING).sum()) == [each] * 7
    dead = result.deliveries[result.deliveries["end"] == DEAD]
    assert list(dead["seq"]) == [log_and_queue.FAILING] * 2 * each


def test_a_slow_reader_keeps_what_was_sent_to_it_and_prefetch_says_how_much_that_is() -> None:
    def done_by_the_slow_one(prefetch: int) -> int:
        result = log_and_queue.run(kinds=["queue"], late=False, prefetch=prefetch, trouble=log_and_queue.SLOW)
        return int(times(result, "rabbitmq").loc["reader 1"].sum())

    assert done_by_the_slow_one(4) == 4
    assert done_by_the_slow_one(1) < 4


def test_the_trace_has_every_step_of_every_delivery() -> None:
    result = log_and_queue.run(readers=2, late=False)
    assert result.trace is not None
    lines = frames.deliveries(result.trace.to_frame())
    assert len(lines) == 16
    steps = ["published_s", "confirmed_s", "received_s", "handled_s", "acked_s"]
    assert lines[steps].notna().all(axis=None)
    assert set(lines["who"]) == {"reader#1", "reader#2"}  # copies of one reader, not two services


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"kinds": ["kafak"]}, "kafka; queue; stream"),
        ({"kinds": "kafka"}, "must be a list"),
        ({"readers": 0}, "from 1 to 8"),
        ({"arrangement": "both"}, "share; copy"),
        ({"trouble": "fire"}, "order 3 always fails"),
    ],
)
def test_a_wrong_word_is_refused_with_the_right_ones(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(SettingError, match=named):
        log_and_queue.run(**wrong)


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the topics, queues and exchanges that the test's runs make."""
    found: list[str] = []

    def noted(prefix: str) -> str:
        found.append(fresh(prefix))
        return found[-1]

    for module in (log_and_queue.kafka, log_and_queue.rabbitmq):
        monkeypatch.setattr(module, "fresh", noted)
    return found


def left(places: list[str]) -> list[str]:
    """Which of them are there still."""
    assert places
    topics = AdminClient(lab.kafka_config()).list_topics(timeout=10).topics
    found = [name for name in topics if name.startswith(tuple(places))]
    for place in places:
        for declare in ("queue_declare", "exchange_declare"):
            with suppress(BrokerError), topology.channel(lab.rabbitmq_parameters()) as channel:
                getattr(channel, declare)(place, passive=True)
                found.append(place)
    return found


def test_cancel_ends_the_run_and_nothing_of_it_stays(places: list[str]) -> None:
    cancelled = threading.Event()

    def progress(done: float | None, words: str = "") -> None:
        if done and done >= 0.5:
            cancelled.set()

    with pytest.raises(CancelledError), reporting(progress, cancelled):
        log_and_queue.run(log_and_queue.KINDS)
    assert cancelled.is_set() and left(places) == []


def test_a_run_leaves_no_topic_no_queue_and_no_exchange_behind(places: list[str]) -> None:
    log_and_queue.run(log_and_queue.KINDS, trouble=log_and_queue.FAILS)
    assert left(places) == []


# --- what the lesson looks up in a topic


def test_one_reader_of_all_partitions_gets_each_of_them_in_order_and_whole() -> None:
    topic = fresh("spread")
    with kafka.temporary_topics(lab.kafka_config(), {topic: 3}):
        producer = Producer(lab.kafka_config())
        for order in eight():
            producer.produce(topic, order.to_bytes(), key=order.data["country"])
        assert producer.flush(20) == 0
        log = reading.read_all(lab.kafka_config(), topic)
    assert sorted(log["order"]) == ALL
    assert log["bytes"].sum() == sum(len(order.to_bytes()) for order in eight())
    table = reading.laid_out(log)
    assert sorted("".join(row) for row in table.to_numpy()) == ["1358", "26", "47"]  # de, fr and pt are apart


def test_a_topic_that_is_not_there_cannot_be_read() -> None:
    with pytest.raises(BrokerError, match="There is no topic"):
        reading.read_all(lab.kafka_config(), fresh("never-made"))


# --- the two processes


def test_a_killed_reader_has_read_and_its_orders_come_back_marked(queue: str) -> None:
    with topology.channel(lab.rabbitmq_parameters()) as channel:
        channel.confirm_delivery()
        for order in eight():
            channel.basic_publish("", queue, order.to_bytes(), mandatory=True)
        gone = processes.killed_reader("rabbitmq", queue, n=3)
        assert (gone.taken, gone.signal) == ((1, 2, 3), 9)
        redelivered = {}
        while len(redelivered) < 8:
            method, _, body = channel.basic_get(queue, auto_ack=True)
            if method is not None:
                redelivered[number(body)] = method.redelivered
    assert {seq for seq, again in redelivered.items() if again} == {1, 2, 3}
