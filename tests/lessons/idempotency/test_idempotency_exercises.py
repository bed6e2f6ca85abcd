"""Lesson 09's exercises beyond what all exercises share: other good answers, other bad ones, and the crashed store."""

from typing import Any

import pytest

from labkit.events.event import Event
from labkit.lessons.idempotency import exercises
from labkit.lessons.idempotency.exercises.check_store import Crash, Stores

NOTE = "INSERT INTO inbox VALUES (?, ?) ON CONFLICT DO NOTHING"


def charged_before_noted_in_one_transaction(store: Any, event: Any, charge: Any) -> None:
    with store:
        if store.execute("SELECT 1 FROM inbox WHERE event_id = ?", (event.id,)).fetchone() is None:
            charge(event.subject, event.data["cents"])
            store.execute(NOTE, (event.id, 0))


def by_hand(store: Any, event: Any, charge: Any) -> None:
    if store.execute("INSERT OR IGNORE INTO inbox VALUES (?, ?)", (event.id, 0)).rowcount:
        charge(event.subject, event.data["cents"])
    store.commit()


@pytest.mark.parametrize("answer", [charged_before_noted_in_one_transaction, by_hand])
def test_other_ways_to_write_the_handler_are_right_too(answer: Any) -> None:
    verdict = exercises.take.check(answer)
    assert verdict, repr(verdict)


def swallows(store: Any, event: Any, charge: Any) -> None:
    try:
        with store:
            store.execute(NOTE, (event.id, 0))
        with store:
            charge(event.subject, event.data["cents"])
    except Exception:
        pass


def commits_the_note(store: Any, event: Any, charge: Any) -> None:
    if store.execute(NOTE, (event.id, 0)).rowcount:
        store.commit()
        charge(event.subject, event.data["cents"])
        store.commit()


@pytest.mark.parametrize("answer", [swallows, commits_the_note])
def test_a_handler_with_a_gap_is_found_out(answer: Any) -> None:
    verdict = exercises.take.check(answer)
    assert not verdict
    assert any("charged" in one.text and not one.right for one in verdict.findings or ())


def locks_the_other_out(store: Any, event: Any, charge: Any, meet: Any) -> None:
    store.execute("BEGIN IMMEDIATE")
    meet()
    if store.execute("SELECT 1 FROM inbox WHERE event_id = ?", (event.id,)).fetchone() is None:
        store.execute(NOTE, (event.id, 0))
        charge(event.subject, event.data["cents"])
    store.commit()


def test_a_lock_on_the_whole_file_mends_the_race_too() -> None:
    verdict = exercises.race.check(locks_the_other_out)
    assert verdict, repr(verdict)


def test_the_predictions_are_those_of_the_steps_and_of_no_formula() -> None:
    verdict = exercises.predict.check(exercises.predict.answer)
    assert verdict and len(verdict.findings or ()) == 6
    assert "still open" in repr(exercises.predict.check(lambda a, b, c: {"ack first": (a, 0)}))
    assert "Return the dictionary" in repr(exercises.predict.check(lambda a, b, c: 7))


def test_the_store_can_be_crashed_at_each_step_and_keeps_what_was_committed() -> None:
    event = Event("OrderPlaced", "/shop/checkout", "17", {"cents": 499})
    left: list[tuple[str, int]] = []
    with Stores() as stores:
        for dies_at in range(1, 6):
            path = stores.fresh()
            try:
                with stores.open(path, dies_at) as store:
                    exercises.take.answer(store, event, store.charge)
            except Crash as crash:
                left.append((str(crash), stores.charges(path)))
    assert left == [
        ("before INSERT", 0), ("before the charge", 0), ("before the commit", 0), ("after the commit", 1),
    ]  # fmt: skip
