"""Lesson 08 on the real brokers: what breaks order, and what keeps it. Counts only."""

import functools
import threading
from concurrent.futures import CancelledError
from typing import Any

import confluent_kafka as ck
import pika
import pytest

from labkit import lab
from labkit.base import names
from labkit.base.checkpoint import reporting
from labkit.brokers import kafka
from labkit.events.event import Event
from labkit.events.trace import ACKED, HANDLED, PUBLISHED, RECEIVED
from labkit.lessons import ordering
from labkit.lessons.ordering.exercises.never_or_sometimes import CASES, NEVER, SOMETIMES
from labkit.measure import scene
from labkit.measure.result import Result
from labkit.measure.scene import at as scene_at

pytestmark = pytest.mark.usefixtures("nothing_left")

KAFKA_FIXED: list[dict[str, Any]] = [
    {"key": "order"},
    {"key": "customer"},
    {"key": "order", "consumers": 1, "workers": 4, "dispatch": "by key"},
    {"key": "order", "producers": 2, "wait_for_ack": True},
    {"key": "order", "first_try_fails": 0.05, "retry": "in place"},
    {"key": "order", "first_try_fails": 0.05, "retry": "parked", "consumers": 1},
]
KAFKA_BROKEN: list[tuple[dict[str, Any], str]] = [
    ({"key": "type"}, "several partitions"),
    ({"key": "none", "linger_ms": 0}, "several partitions"),
    ({"key": "order", "consumers": 1, "workers": 4}, "several workers"),
    ({"key": "order", "producers": 2}, "two producers"),
    ({"key": "order", "first_try_fails": 0.1, "retry": "delayed"}, "what failed"),
]
RABBITMQ_FIXED: list[dict[str, Any]] = [
    {"key": "order"},
    {"consumers": 1},
    {"consumers": 4, "single_active": True},
    {"consumers": 1, "workers": 4, "dispatch": "by key"},
    {"consumers": 1, "prefetch": 1, "first_try_fails": 0.05, "retry": "requeue"},
    {"consumers": 1, "prefetch": 1, "first_try_fails": 0.05, "retry": "requeue", "queue": "quorum"},
    {"consumers": 1, "first_try_fails": 0.05, "retry": "parked"},
]
RABBITMQ_BROKEN: list[tuple[dict[str, Any], str]] = [
    ({}, "several consumers"),
    ({"key": "type"}, "several queues"),
    ({"consumers": 1, "workers": 4}, "several workers"),
    ({"consumers": 1, "first_try_fails": 0.1, "retry": "requeue"}, "what failed"),
    ({"consumers": 1, "first_try_fails": 0.1, "retry": "delayed"}, "what failed"),
    (
        {"consumers": 1, "prefetch": 1, "first_try_fails": 0.1, "retry": "requeue", "queue": "quorum, no limit"},
        "what failed",
    ),
]
PREDICTED: dict[str, dict[str, Any]] = {
    "Kafka, no key, 2 consumers": {"key": "none", "linger_ms": 0},
    "Kafka, key = order, 4 consumers": {"key": "order", "consumers": 4},
    "Kafka, key = customer, 2 consumers": {"key": "customer"},
    "Kafka, key = event type, 2 consumers": {"key": "type"},
    "Kafka, key = order, 1 consumer, 4 workers": {"key": "order", "consumers": 1, "workers": 4},
    "Kafka, key = order, two producers, nobody waits": {"key": "order", "producers": 2},
    "Kafka, key = order, a plain retry topic": {"key": "order", "first_try_fails": 0.1, "retry": "delayed"},
    "RabbitMQ, 1 queue, 2 consumers, prefetch 1": {"prefetch": 1},
    "RabbitMQ, 1 queue, 1 consumer, prefetch 10": {"consumers": 1},
    "RabbitMQ, 1 queue, 1 of 4 consumers is active": {"consumers": 4, "single_active": True},
    "RabbitMQ, 4 queues by a hash of the order": {"key": "order"},
    "RabbitMQ, 1 classic queue, 1 consumer, nack with requeue, prefetch 10": {
        "consumers": 1,
        "first_try_fails": 0.1,
        "retry": "requeue",
    },
}


@functools.cache
def found(**setting: Any) -> Result:
    """A run with this setting: one for all tests that look at it."""
    return ordering.run(**setting)


def every_event_once(result: Result) -> None:
    assert result.trace
    rows = result.trace.to_frame()
    handled = rows[rows["what"] == HANDLED]
    assert sorted(handled["event_id"]) == sorted(rows.loc[rows["what"] == PUBLISHED, "event_id"].unique())
    assert set(result.anomalies["kind"]) <= {"reordered"}


@pytest.mark.parametrize("setting", KAFKA_FIXED, ids=str)
def test_kafka_keeps_order_where_an_order_has_one_partition_and_one_worker(setting: dict[str, Any]) -> None:
    result = found(**setting)
    assert result.measures["out_of_order"].value == 0, result.sentence
    assert result.sentence.startswith("Order held")
    every_event_once(result)


@pytest.mark.parametrize(("setting", "why"), KAFKA_BROKEN, ids=str)
def test_kafka_breaks_order_and_the_sentence_names_the_cause(setting: dict[str, Any], why: str) -> None:
    result = found(**setting)
    assert result.measures["out_of_order"].value > 0
    assert why in result.sentence and "Cure: " in result.sentence
    every_event_once(result)


@pytest.mark.parametrize("setting", RABBITMQ_FIXED, ids=str)
def test_rabbitmq_keeps_order_where_an_order_has_one_queue_and_one_worker(setting: dict[str, Any]) -> None:
    result = found(broker="rabbitmq", **setting)
    assert result.measures["out_of_order"].value == 0, result.sentence
    every_event_once(result)


@pytest.mark.parametrize(("setting", "why"), RABBITMQ_BROKEN, ids=str)
def test_rabbitmq_breaks_order_and_the_sentence_names_the_cause(setting: dict[str, Any], why: str) -> None:
    result = found(broker="rabbitmq", **setting)
    assert result.measures["out_of_order"].value > 0
    assert why in result.sentence and "Cure: " in result.sentence
    every_event_once(result)


@pytest.mark.parametrize(
    "setting",
    [{}, {"key": "order"}, {"prefetch": 3, "workers": 4}, {"first_try_fails": 0.1, "retry": "requeue"}],
    ids=str,
)
def test_no_queue_has_more_out_than_its_consumers_may_hold_and_none_at_the_end(setting: dict[str, Any]) -> None:
    result = found(broker="rabbitmq", **setting)
    assert result.trace
    (board,) = scene.build(result.trace.rows())["boards"]
    for number in range(len(board["lanes"])):
        readers = [consumer for lane, consumer in board["reads"] if lane == number]
        cells = [cell for cell in board["cells"] if cell["lane"] == number]
        assert sum(cell["trips"][-1]["a"] is not None for cell in cells) == len(cells), "each was acknowledged"
        out = [_out({**board, "cells": cells}, time) for time in sorted({t for c in cells for t in scene.moments(c)})]
        assert 0 < max(out) <= setting.get("prefetch", 10) * len(readers)
        assert out[-1] == 0


def _out(board: dict[str, Any], t: float) -> int:
    """How many events are with a consumer at `t`."""
    return sum(spot.place == scene_at.CONSUMER and spot.part == 1 for _, spot in scene_at.spots(board, t, 0.0025))


def test_a_run_on_kafka_commits_nothing_and_says_so() -> None:
    result = found(key="order")
    assert result.trace
    assert ACKED not in {row.what for row in result.trace.rows()}
    assert scene.build(result.trace.rows())["boards"][0]["commits"] == []


def test_what_goes_round_lies_in_one_partition_of_the_retry_topic() -> None:
    result = found(key="order", first_try_fails=0.1, retry="delayed")
    assert result.trace
    lanes = [lane["name"] for lane in scene.build(result.trace.rows())["boards"][0]["lanes"]]
    assert lanes == ["life.retry, partition 0", *(f"life, partition {number}" for number in range(4))]


@pytest.mark.parametrize(("reader", "wrong"), [("newest wins", 0), ("waits for its turn", 0)])
def test_a_reader_that_looks_at_the_numbers_ends_in_the_right_state(reader: str, wrong: int) -> None:
    result = ordering.run(broker="rabbitmq", reader=reader)
    assert result.measures["out_of_order"].value > 0, "they came out of order"
    assert result.measures["final_state_wrong"].value == wrong


def test_a_reader_that_takes_what_comes_ends_in_a_wrong_state() -> None:
    result = ordering.run(broker="rabbitmq", consumers=1, workers=4, reader="takes what comes", orders=200)
    assert result.measures["final_state_wrong"].value > 0


def test_an_event_without_a_key_carries_none_and_one_with_a_key_its_own() -> None:
    topic = names.fresh("life")
    kafka.create_topics(lab.kafka_config(), {topic: 1})
    producer = kafka.Producer(lab.kafka_config())
    for key in (kafka.NO_KEY, "7"):
        producer.publish(Event("OrderPlaced", "/shop", "1", {}), topic, key)
    producer.close()
    consumer = ck.Consumer({**lab.kafka_config(), "group.id": topic})
    try:
        consumer.assign([ck.TopicPartition(topic, 0, 0)])
        assert [message.key() for message in consumer.consume(2, 10)] == [None, b"7"]
    finally:
        consumer.close()
        kafka.delete_topics(lab.kafka_config(), [topic])


def test_every_case_of_the_prediction_has_a_setting() -> None:
    assert set(PREDICTED) == set(CASES)
    assert {case.word for case in CASES.values()} == {NEVER, SOMETIMES}


@pytest.mark.parametrize("case", CASES)
def test_the_broker_says_what_the_prediction_says(case: str) -> None:
    broker = case.partition(",")[0].lower()
    result = found(**PREDICTED[case]) if broker == "kafka" else found(broker=broker, **PREDICTED[case])
    assert (result.measures["out_of_order"].value > 0) == (CASES[case].word == SOMETIMES), result.sentence


def test_consumers_that_find_no_partition_stand_idle() -> None:
    result = ordering.run(key="order", partitions=2, consumers=3)
    assert result.trace
    rows = result.trace.to_frame()
    assert rows.loc[rows["what"] == RECEIVED, "who"].nunique() <= 2


def test_a_run_that_is_cancelled_ends_and_leaves_no_queue() -> None:
    cancelled = threading.Event()
    with pytest.raises(CancelledError), reporting(lambda *_: cancelled.set(), cancelled):
        ordering.run(broker="rabbitmq")
    with pika.BlockingConnection(lab.rabbitmq_parameters()) as connection:
        assert connection.is_open


def test_an_error_in_a_worker_comes_back_to_the_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    from labkit.lessons.ordering import reader

    def broken(*_: Any) -> None:
        raise RuntimeError("a bug in the handler")

    monkeypatch.setattr(reader.Reader, "take", broken)
    for broker in ("kafka", "rabbitmq"):
        with pytest.raises(RuntimeError, match="a bug in the handler"):
            ordering.run(broker=broker, key="order", workers=2)
