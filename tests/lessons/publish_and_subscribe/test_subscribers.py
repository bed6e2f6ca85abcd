"""Lesson 02 on real brokers, in short. Counts only: how long things take is for the lesson to see."""

import threading
from concurrent.futures import CancelledError

import pytest

from labkit import lab
from labkit.base.checkpoint import reporting
from labkit.base.errors import SettingError
from labkit.lessons import publish_and_subscribe
from labkit.lessons.publish_and_subscribe import commands, latecomers, table
from labkit.shop.config import REACTING

pytestmark = pytest.mark.usefixtures("brokers", "nothing_left")


def test_fraud_joins_a_running_shop_and_the_publisher_stays_as_it_is() -> None:
    result = publish_and_subscribe.run(fraud_joins=0.4, seconds=1)
    seen = table.publisher(result.trace)
    assert list(seen.index) == ["three subscribers", "and fraud", "at the end"]
    assert list(seen[["pid", "source", "settings"]].nunique()) == [1, 1, 1]
    assert "fraud" not in seen["subscribers"].iloc[0]
    assert "fraud" in seen["subscribers"].iloc[1]
    assert table.publisher_settings(result.trace)["services"] == {}
    three = result.deliveries[result.deliveries["who"].isin(REACTING)]
    assert (three["effects"] >= 1).all()
    assert (three["did"] != "").all()
    fraud = result.deliveries[result.deliveries["who"] == "fraud"].groupby("broker")["effects"]
    old = fraud.apply(lambda done: (done.head(8) >= 1).sum())  # 8 orders on each broker, before it was started
    assert (old["kafka"], old["rabbitmq"]) == (8, 0)
    assert fraud.sum()["rabbitmq"] > 0
    assert result.anomalies.empty


def test_a_slow_subscriber_falls_behind_and_all_arrive_everywhere() -> None:
    result = publish_and_subscribe.run(slow="notification", delay_ms=150, fraud_joins=0, seconds=2, broker="rabbitmq")
    rows = result.deliveries
    assert set(rows["broker"]) == {"rabbitmq"}
    assert (rows["effects"] >= 1).all()
    begin, end = result.measures["slow_from"].value, result.measures["slow_until"].value
    meanwhile = rows[rows["published_s"].between(begin, end)].groupby("who")["wait_ms"].median()
    assert meanwhile["notification"] > 150
    assert meanwhile["notification"] > 2 * meanwhile.drop("notification").max()
    waiting = rows[(rows["who"] == "notification") & (rows["published_s"] < end) & (rows["handled_s"] > end)]
    assert len(waiting) >= 5  # one at a time: 10 orders come in half a second, and it can do 3


def test_a_subscriber_that_raises_buries_its_orders_and_the_others_miss_none() -> None:
    result = publish_and_subscribe.run(raises="inventory", fraud_joins=0, seconds=0.5)
    rows = result.deliveries
    bad = rows[rows["who"] == "inventory"]
    assert len(bad) == 20
    assert bad["dead"].all()
    assert not bad["effects"].any()
    good = rows[rows["who"] != "inventory"]
    assert (good["effects"] >= 1).all()
    assert not good["dead"].any()
    assert "Inventory raised; 20 orders are among the dead letters" in result.sentence
    assert [result.measures[f"inventory_{broker}_dead_letters"].value for broker in table.BROKERS] == [10, 10]


def test_one_that_is_slow_and_raises_still_raises_afterwards() -> None:
    result = publish_and_subscribe.run(
        slow="analytics", raises="analytics", delay_ms=10, fraud_joins=0, seconds=1, broker="kafka"
    )
    mine = result.deliveries[result.deliveries["who"] == "analytics"]
    assert mine["dead"].all()


@pytest.mark.parametrize("wrong", [{"slow": "everybody"}, {"raises": "checkout"}, {"broker": "pulsar"}])
def test_a_word_that_is_unknown_is_refused_before_anything_starts(wrong: dict[str, str]) -> None:
    ((name, value),) = wrong.items()
    with pytest.raises(SettingError, match=f"{name} is '{value}'"):
        publish_and_subscribe.run(**wrong)  # type: ignore[arg-type]


def test_a_cancelled_run_ends_and_leaves_nothing() -> None:
    cancelled = threading.Event()

    def progress(done: float | None, words: str) -> None:
        if "flow" in words:
            cancelled.set()

    with pytest.raises(CancelledError), reporting(progress, cancelled):
        publish_and_subscribe.run(seconds=30)


def test_a_subscriber_that_had_subscribed_gets_what_came_meanwhile_and_a_new_one_what_the_broker_keeps() -> None:
    result = latecomers.run(n=6)
    got = result.deliveries.set_index("who")[["kafka", "rabbitmq"]]
    assert list(got.loc["inventory"]) == [6, 6]
    assert list(got.loc["fraud"]) == [6, 0]
    assert list(got.loc["analytics"]) == [0, 0]
    assert result.measures["fraud_kafka_got"].value == 6


def test_a_broadcast_command_is_done_twice_and_one_that_is_sent_to_one_is_done_once() -> None:
    result = commands.run(n=5)
    counts = commands.summary(result.deliveries)
    assert len(counts) == 4
    assert set(counts.xs("broadcast", level="way")["reservations"]) == {10}
    assert set(counts.xs("broadcast", level="way")["twice"]) == {5}
    shared = counts.xs("to one", level="way")
    assert set(shared["reservations"]) == {5}
    assert (shared[["copy 1", "copy 2"]] > 0).all(axis=None)  # both work, and neither does all
    assert set(counts.xs("to one", level="way")["twice"]) == {0}
    assert result.sentence == "Broadcast, 10 of 10 orders are reserved twice; sent to one, 0."


def test_without_one_of_the_brokers_the_late_subscribers_cannot_be_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    only = lab.brokers("kafka").running
    monkeypatch.setattr(lab, "running", lambda: list(only))
    with pytest.raises(lab.UnknownBrokerError, match="RabbitMQ does not run in this lab"):
        latecomers.run()
