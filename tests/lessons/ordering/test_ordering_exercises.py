"""Lesson 08's exercises: the buffer and the write on events as they came."""

from collections.abc import Callable
from typing import Any

import pytest

from labkit.events.trace import HANDLED, Trace
from labkit.lessons import ordering
from labkit.lessons.ordering import exercises
from labkit.lessons.ordering.exercises.reordering import came_in, overtaken, run_with
from labkit.measure.result import Result


def a_run(*handled: tuple[str, int]) -> Result:
    """A result whose trace says that these events were handled like this."""
    trace = Trace()
    for t, (order, seq) in enumerate(handled):
        trace.add(HANDLED, order, seq, f"{order}.{seq}", "q", -1, "warehouse#1", "rabbitmq", t_ns=t)
    return Result("", trace.deliveries(), trace=trace)


MIXED = a_run(("a", 1), ("b", 2), ("a", 3), ("b", 1), ("a", 2))


def test_the_solution_puts_the_events_of_a_run_in_turn() -> None:
    verdict = exercises.in_turn_on(exercises.reorder.answer, MIXED)
    assert verdict
    assert "2 orders came out of order; behind your buffer 0 are" in repr(verdict)


def test_a_buffer_that_passes_everything_on_is_told_how_many_orders_are_broken() -> None:
    def passes(kept: dict[str, Any], order: str, seq: int, handle: Callable[[str, int], None]) -> None:
        handle(order, seq)

    assert "behind your buffer 2 are" in repr(exercises.in_turn_on(passes, MIXED))


def test_a_buffer_that_drops_what_comes_early_is_told_how_many_events_are_missing() -> None:
    drops = exercises.reorder.wrong[0].answer
    assert "3 of 5 events were handled" in repr(exercises.in_turn_on(drops, MIXED))


def test_a_stub_is_not_attempted_on_a_run_either() -> None:
    assert not exercises.in_turn_on(exercises.reorder.stub, MIXED).attempted
    assert not exercises.save_on(exercises.version.stub, MIXED).attempted


def test_the_buffer_keeps_nothing_of_an_order_that_is_through() -> None:
    kept: dict[str, Any] = {}
    for seq in (3, 1, 2):
        exercises.reorder.answer(kept, "a", seq, lambda *_: None)
    assert kept["a"]["early"] == set()


def test_the_version_check_leaves_no_order_wrong_and_the_last_writer_does() -> None:
    assert exercises.save_on(exercises.version.answer, MIXED)

    def last_wins(db: Any, order: str, status: str, seq: int) -> None:
        db.execute("REPLACE INTO orders VALUES (?, ?, ?)", (order, status, seq))

    assert "in your table 2 are wrong" in repr(exercises.save_on(last_wins, MIXED))


def test_a_look_before_a_write_that_has_a_condition_is_right_too() -> None:
    def looks_and_checks(db: Any, order: str, status: str, seq: int) -> None:
        db.execute("SELECT seq FROM orders WHERE name = ?", (order,)).fetchone()
        exercises.version.answer(db, order, status, seq)

    assert exercises.version.check(looks_and_checks)


def test_a_write_that_never_ends_is_ended() -> None:
    def for_ever(db: Any, order: str, status: str, seq: int) -> None:
        while True:
            db.execute("SELECT 1")

    assert "does the function ever stop" in repr(exercises.version.check(for_ever))


def test_an_error_of_sql_is_told_with_its_line() -> None:
    def wrong_sql(db: Any, order: str, status: str, seq: int) -> None:
        db.execute("INSERT INTO order VALUES (1)")

    assert "OperationalError" in repr(exercises.version.check(wrong_sql))


def test_a_result_without_a_trace_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match="no trace"):
        came_in(Result("", MIXED.deliveries))


def test_broken_orders_are_counted_once_each() -> None:
    assert overtaken([("a", 3), ("a", 1), ("a", 2), ("b", 1), ("b", 2)]) == {"a"}
    assert run_with(exercises.reorder.answer, [("a", 2), ("a", 1)]) == [("a", 1), ("a", 2)]


@pytest.mark.usefixtures("brokers")
def test_both_answers_mend_a_run_that_broke_on_a_real_broker() -> None:
    found = ordering.run(broker="rabbitmq", consumers=4, orders=50)
    assert found.measures["out_of_order"].value > 0
    assert exercises.in_turn_on(exercises.reorder.answer, found)
    assert exercises.save_on(exercises.version.answer, found)
