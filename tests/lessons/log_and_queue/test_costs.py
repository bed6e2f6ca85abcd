"""Lesson 03: what each broker costs to run, and the table that helps to choose."""

import math
from pathlib import Path

import confluent_kafka as ck
import pandas as pd
import pytest
from own_broker import left_behind

from labkit import lab
from labkit.base import settings, wait
from labkit.base.errors import BrokerError, SettingError
from labkit.brokers import kafka
from labkit.brokers.kafka import bare
from labkit.lessons.log_and_queue import choose, costs, costs_brokers
from labkit.lessons.log_and_queue.costs_brokers import KAFKA_NEEDS
from labkit.lessons.log_and_queue.plots import costs as plot
from labkit.measure.result import Result
from labkit.provision import native_kafka
from labkit.provision.model import Place

pytestmark = pytest.mark.usefixtures("brokers")


@pytest.fixture(scope="module")
def result(brokers) -> Result:
    return costs.run(n=500)


def test_both_brokers_are_measured_and_nothing_of_them_is_left(result):
    rows = result.deliveries.set_index("broker")
    assert set(rows.index) == {broker.broker for broker in lab.running() if broker.source == "native"}
    assert (rows[["start_s", "memory_mb", "memory_used_mb", "processes", "disk_mb"]] > 0).all(axis=None)
    assert not left_behind()


def test_kafka_needs_settings_and_rabbitmq_none(result):
    assert float(result.measures["kafka_settings"]) == len(KAFKA_NEEDS)
    assert float(result.measures["rabbitmq_settings"]) == 0
    assert (float(result.measures["kafka_steps"]), float(result.measures["rabbitmq_steps"])) == (1, 0)


def works(lines: list[str], tmp_path) -> bool:
    """Does a Kafka with these settings only start, and keep a group's offsets?"""
    found = settings.read({"LABKIT_HOME": str(tmp_path), "LABKIT_CACHE": str(settings.read().cache)})
    try:
        started = native_kafka.start(Place(found, tmp_path / "run"), lambda _: None, only=lines)
    except BrokerError:
        return False
    try:
        kafka.create_topics(started.running.client, {"orders": 1})
        (log,) = (tmp_path / "log").glob("kafka-*.log")
        return keeps_offsets(started.running.client, log)
    finally:
        started.stop()


def keeps_offsets(config: dict[str, str], log: Path) -> bool:
    """Whether the group's offsets can be asked for. A Kafka that can never keep them says so in its log."""
    consumer = bare.consumer(config)

    def kept() -> str:
        if "__consumer_offsets with error 'INVALID_REPLICATION_FACTOR'" in log.read_text():
            return "never"
        try:
            consumer.committed([ck.TopicPartition("orders", 0)], timeout=1)
        except ck.KafkaException:  # its coordinator is not there yet
            return ""
        return "yes"

    try:
        return wait.until(kept, 30, "Kafka keeps a group's offsets, or says why not") == "yes"
    finally:
        consumer.close()


def test_kafka_works_with_the_settings_it_needs(tmp_path):
    assert works(list(KAFKA_NEEDS), tmp_path)


@pytest.mark.parametrize("line", KAFKA_NEEDS, ids=lambda line: line.split("=")[0])
def test_without_any_one_of_its_settings_kafka_does_not_work(line, tmp_path):
    assert not works([one for one in KAFKA_NEEDS if one != line], tmp_path)


def test_settings_are_counted_without_comments_and_empty_lines():
    assert costs_brokers.lines("# a comment\n\na = 1\n  b=2\n% erlang's\n") == 2
    assert min(costs_brokers.course_settings().values()) > 0


def test_a_run_that_measures_nothing_is_refused():
    with pytest.raises(SettingError, match="at least 1"):
        costs.run(n=0)


def test_a_broker_that_is_not_native_is_not_measured_and_says_so(monkeypatch):
    elsewhere = [type("Elsewhere", (), {"broker": name, "source": "docker"})() for name in costs.BROKERS]
    monkeypatch.setattr(lab, "running", lambda: elsewhere)
    monkeypatch.setattr(lab, "stamp", lambda: "both in Docker")
    result = costs.run()
    assert "Kafka not measured here: it is docker" in result.provenance["not_measured"]
    assert (plot.table(result)[["Kafka", "RabbitMQ"]] == costs.NOT_HERE).all(axis=None)
    assert "not measured here" in result.sentence
    assert costs.ready(result) == {}
    assert costs.bill(result) == "Not measured here: only 0 of 2 brokers could be started natively"


def test_the_bill_has_the_numbers_of_both_brokers_and_says_who_was_sooner(result):
    here, words = result.measures, costs.bill(result)
    assert f"Kafka {len(KAFKA_NEEDS)}, RabbitMQ 0" in words
    assert f"after {str(here['kafka_start_s']).split()[0]} and {here['rabbitmq_start_s']}" in words
    assert len(words) < 100, "it goes into the README's table"
    seconds = list(costs.ready(result).values())
    assert seconds == sorted([float(here["kafka_start_s"]), float(here["rabbitmq_start_s"])])


def made_up(**changes) -> Result:
    row = dict.fromkeys(costs.ROWS, 10.0)
    rows = [{"broker": "kafka", **row, **changes}, {"broker": "rabbitmq", **row}]
    return Result("", pd.DataFrame(rows))


def test_the_table_says_who_has_less_and_where_there_is_no_difference():
    table = plot.table(made_up(start_s=5.0, memory_mb=9.0, settings=12.0))
    assert table.loc["from start to first client", "less"] == "Kafka"
    assert table.loc["memory, fresh", "less"] == "the same"
    assert table.loc["from start to first client", "Kafka"] == "5.0 s"
    assert plot.said(math.nan, "s") == costs.NOT_HERE


def rates(kafka: float, quorum: float) -> Result:
    rows = [
        {"kind": kind, "size_b": size, "publish_per_s": rate, "publish_mb_s": rate}
        for kind, rate in (("kafka", kafka), ("quorum", quorum))
        for size in (200, 20_000)
    ]
    return Result("", pd.DataFrame(rows))


class Answer:
    def __init__(self, backend: str, word: str, short: str = "") -> None:
        self.question, self.backend, self.word, self.short = "replay", backend, word, short


def test_the_decision_follows_what_was_measured():
    small = "Many small events a second (200 bytes)?"
    assert choose.table(rates(100, 10), made_up()).loc[small, choose.CHOOSE] == "Kafka"
    assert choose.table(rates(10, 100), made_up()).loc[small, choose.CHOOSE] == "RabbitMQ queue"
    assert choose.table(rates(11, 10), made_up()).loc[small, choose.CHOOSE] == choose.EITHER
    costly = choose.table(rates(1, 1), made_up(settings=3.0, memory_used_mb=30.0))
    assert costly.loc["Few settings to begin with?", choose.CHOOSE] == "Kafka"
    assert costly.loc["Little memory?", choose.CHOOSE] == "RabbitMQ queue"
    free = choose.table(rates(1, 1), made_up(settings=0.0))
    assert free.loc["Few settings to begin with?", choose.CHOOSE] == "Kafka", "none is clearly less than some"


def test_answers_of_the_truth_table_and_rows_of_ones_own_are_in_it():
    answers = [Answer("kafka", "yes"), Answer("rabbitmq-quorum", "no"), Answer("rabbitmq-stream", "conditions", "x")]
    own = {"Route by rules?": {"quorum": "4 kinds", "choose": "RabbitMQ queue"}}
    table = choose.table(rates(1, 1), made_up(), answers, own)
    row = table.iloc[0]
    assert list(row) == ["yes", "no", "yes, if x", "Kafka"]
    assert list(table.loc["Route by rules?"]) == [choose.NOT_ASKED, "4 kinds", choose.NOT_ASKED, "RabbitMQ queue"]


def test_what_was_not_measured_decides_nothing():
    table = choose.table(rates(1, 1), Result("", pd.DataFrame(columns=["broker"])))
    assert list(table.loc["Little memory?"]) == [choose.NOT_MEASURED] * 3 + [choose.EITHER]
