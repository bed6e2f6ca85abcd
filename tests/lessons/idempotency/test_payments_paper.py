"""Lesson 09 without a broker: the steps on paper, the puzzle, the settings, the ledger."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from labkit import lab
from labkit.base.errors import SettingError, StorageError
from labkit.lessons import idempotency
from labkit.lessons.idempotency import compare, crashes, predicted
from labkit.lessons.idempotency import kill as kill9
from labkit.lessons.idempotency.ledger import Ledger
from labkit.lessons.idempotency.limits import puzzle, race, sending, window
from labkit.lessons.idempotency.setting import NotOnOfferError, Setting
from labkit.lessons.idempotency.steps import POINTS, STRATEGIES
from labkit.provision.model import Running
from labkit.truth.standin import StandInError

KEYS = [str(number) for number in range(1, 201)]

# strategy -> (points whose crashes lose, points whose crashes double), by reasoning and not by running
MEANING: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "ack first": (("before_handle",), ()),
    "work first": ((), ("after_handle", "before_ack")),
    "inbox, same transaction": ((), ()),
    "inbox, remembered first": (("before_handle",), ()),
    "inbox, charged first": ((), ("after_handle",)),
    "upsert by order": ((), ()),
    "skip redelivered": (("before_handle",), ()),
    "card company, inbox": ((), ("after_handle",)),
    "card company, key": ((), ()),
}


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("name", MEANING)
def test_on_paper_exactly_the_crashes_in_the_gap_lose_or_double(name: str, seed: int) -> None:
    plan = crashes.planned(KEYS, seed, 0.2)
    assert set(plan.values()) == set(POINTS), "every point has crashes, or this proves nothing"
    counts = predicted.predict(STRATEGIES[name], KEYS, plan)
    lose, double = MEANING[name]
    assert counts.lost == [key for key in KEYS if plan.get(key) in lose]
    assert counts.doubled == [key for key in KEYS if plan.get(key) in double]


def test_every_strategy_has_its_meaning_written_down() -> None:
    assert set(MEANING) == {name for name, way in STRATEGIES.items() if not way.automatic}


def test_a_crash_in_a_batch_repeats_all_of_the_batch_that_was_done() -> None:
    counts = predicted.predict(STRATEGIES["work first"], KEYS[:20], {"8": "after_handle"}, batch=5)
    assert counts.doubled == ["6", "7", "8"]
    assert counts.lost == []


def test_who_never_commits_begins_at_the_first_payment_again() -> None:
    counts = predicted.predict(STRATEGIES["automatic commit"], KEYS[:10], {"4": "after_handle", "6": "before_handle"})
    assert {key: counts.charged[key] for key in KEYS[:10]} == dict(
        zip(KEYS, [3, 3, 3, 3, 2, 1, 1, 1, 1, 1], strict=False)
    )


def test_the_same_seed_crashes_at_the_same_places_and_a_higher_rate_at_more() -> None:
    few, many = crashes.planned(KEYS, 1, 0.05), crashes.planned(KEYS, 1, 0.2)
    assert few == crashes.planned(KEYS, 1, 0.05) != crashes.planned(KEYS, 2, 0.05)
    assert few and set(few) < set(many)
    assert crashes.planned(KEYS, 1, 0.0) == {}


# --- the puzzle


def test_no_order_of_five_steps_charges_everybody_once() -> None:
    every = puzzle.every_order()
    assert len(every) == 24
    assert [one.steps for one in every if one] == []
    assert all(one.lost or one.doubled for one in every)


def test_with_one_transaction_the_charge_before_the_ack_is_right_and_each_order_has_its_price() -> None:
    every = puzzle.every_order(puzzle.ONE_TRANSACTION)
    right = [one for one in every if one]
    assert {one.steps.index("handle+remember") < one.steps.index("ack") for one in right} == {True}
    assert len(right) == 3
    prices = {one.steps: one.trade_off for one in right}
    assert "at least once: whoever" in prices["handle+remember", "publish", "ack"]
    assert "at most once" in prices["handle+remember", "ack", "publish"]
    assert "before the money" in prices["publish", "handle+remember", "ack"]


def test_the_puzzle_shows_each_gap_and_what_a_crash_there_did() -> None:
    shown = " ".join(repr(puzzle.predicted(["read", "ack", "handle", "remember", "publish"])).split())
    assert "ack | handle × charged NEVER, told never" in shown
    assert "read | ack ✓ charged once, told once" in shown
    assert "Not yet: 1 never charged." in shown


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        (["handle", "remember", "ack", "publish"], "begin with"),
        (["read", "handle", "remember", "ack"], "missing"),
        (["read", "handle", "handle", "ack", "publish"], "twice"),
        (["read", "handle", "remember", "nack", "publish"], "nack"),
        (["read", "handle+remember", "handle", "ack", "publish"], "two forms"),
        ([], "begin with"),
    ],
)
def test_steps_that_make_no_puzzle_are_refused(steps: list[str], said: str) -> None:
    with pytest.raises(SettingError, match=said):
        puzzle.run(steps)


# --- settings


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ({"seed": "seven"}, "seed"),
        ({"seed": True}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"strategy": "hope"}, "strategy"),
        ({"broker": "pigeon"}, "broker"),
        ({"payments": 0}, "payments"),
        ({"crash_rate": 1.1}, "crash_rate"),
        ({"crash_rate": float("nan")}, "crash_rate"),
        ({"batch": 0}, "batch"),
        ({"batch": 5, "strategy": "ack first"}, "batches of 5"),
        ({"batch": 30, "broker": "rabbitmq"}, "prefetch"),
        ({"strategy": "automatic commit"}, "killed"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_before_anything_starts(setting: dict[str, Any], named: str) -> None:
    with pytest.raises(SettingError, match=named) as error:
        idempotency.run(**setting)
    assert error.value.cure


def test_a_strategy_that_a_broker_does_not_have_is_not_on_offer() -> None:
    with pytest.raises(NotOnOfferError, match="Kafka does not offer"):
        Setting("skip redelivered", "kafka")
    with pytest.raises(SettingError, match="RabbitMQ does not offer"):
        kill9.run("automatic commit", "rabbitmq")


def test_the_other_runs_refuse_what_cannot_be_too() -> None:
    for run in (
        lambda: compare.run(["hope"]),
        lambda: compare.run(["automatic ack"], brokers=["kafka"]),
        lambda: race.run("hope"),
        lambda: race.run(broker="pigeon"),
        lambda: window.run(window_days=-1),
        lambda: sending.run("hope"),
        lambda: sending.run(seed="x"),  # type: ignore[arg-type]
        lambda: kill9.run("card company, inbox"),
    ):
        with pytest.raises(SettingError):
            run()


# --- the ledger


def test_a_ledger_that_another_program_holds_says_so_with_a_cure(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    Ledger(path).close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    books = None
    try:
        with pytest.raises(StorageError, match="locked") as error:
            books = Ledger(path)
            with books.guarded(), books.store:
                books.charge("17", 499)
        assert "another program" in error.value.cure
    finally:
        other.close()
        if books:
            books.close()


def test_a_ledger_that_may_only_be_read_says_so_with_a_cure(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    Ledger(path).close()
    with pytest.raises(StorageError, match="readonly") as error:
        Ledger(f"file:{path}?mode=ro")
    assert "allow writing" in error.value.cure


def test_a_ledger_that_is_a_folder_or_no_database_says_so(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be used"):
        Ledger(tmp_path)
    text = tmp_path / "notes.txt"
    text.write_text("this is no database, and it is longer than a header of one would be " * 20)
    with pytest.raises(StorageError, match="not a database"):
        Ledger(text)
    with pytest.raises(StorageError):
        idempotency.run(ledger=str(tmp_path))


def test_an_upsert_keeps_one_row_an_order(tmp_path: Path) -> None:
    books = Ledger(tmp_path / "l.db", by_order=True)
    for cents in (499, 499):
        books.charge("17", cents)
    assert books.counts() == {"17": 1}
    books.close()


def test_a_stand_in_for_kafka_is_refused_where_the_idempotent_producer_is_the_lesson(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lab, "running", lambda: [Running("kafka", "2.16.0", "embedded", "127.0.0.1:1", 0.0, {})])
    for sender in ("Kafka, retries", "Kafka, idempotent producer"):
        with pytest.raises(StandInError, match="this lesson needs Kafka itself"):
            sending.run(sender)
