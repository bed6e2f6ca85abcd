"""Threads that belong together: none ends unseen, and none goes on."""

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError

import pytest

from labkit.base import tasks as base_tasks
from labkit.base import wait
from labkit.base.checkpoint import checkpoint, reporting
from labkit.base.errors import NotInTimeError
from labkit.base.tasks import TaskGroup


def raises(error: BaseException) -> Callable[[], None]:
    def task() -> None:
        raise error

    return task


def test_the_first_error_of_a_task_is_the_one_raised() -> None:
    first_is_told = threading.Event()

    def second() -> None:
        first_is_told.wait(10)
        raise KeyError("second")

    with pytest.raises(KeyError, match="first"), TaskGroup() as tasks:
        tasks.start(second)
        tasks.start(raises(KeyError("first")))
        tasks.done.wait(10)
        first_is_told.set()


def test_an_error_of_a_task_ends_the_wait_for_a_fact_at_once() -> None:
    with pytest.raises(KeyError, match="broke"), TaskGroup() as tasks:
        tasks.start(raises(KeyError("broke")))
        tasks.wait(lambda: False, 1000, "it never comes true")


def test_an_error_wins_over_the_fact_that_all_is_done() -> None:
    with TaskGroup() as tasks:

        def done() -> bool:
            tasks.fail(KeyError("broke"))
            return tasks.done.is_set()

        with pytest.raises(KeyError, match="broke"):
            tasks.wait(done, 10, "all is done")
        tasks._errors.clear()


def test_the_bodys_own_error_wins_and_has_a_note_of_the_tasks() -> None:
    with pytest.raises(ValueError, match="the body") as error, TaskGroup() as tasks:
        tasks.start(raises(KeyError("the task")))
        tasks.done.wait(10)
        raise ValueError("the body")
    assert error.value.__notes__ == ["A task had failed before: KeyError('the task')"]


def test_an_error_that_a_task_raises_while_it_ends_is_raised_too() -> None:
    def task() -> None:
        tasks.done.wait(10)
        raise KeyError("at the end")

    with pytest.raises(KeyError, match="at the end"), TaskGroup() as tasks:
        tasks.start(task)


@pytest.mark.parametrize("error", [None, KeyError("the body"), KeyboardInterrupt()])
def test_no_task_outlives_the_with_however_it_ends(error: BaseException | None) -> None:
    ended: list[str] = []

    def task(name: str) -> None:
        tasks.done.wait(10)
        ended.append(name)

    def run() -> None:
        with tasks:
            tasks.start(task, "one")
            tasks.start(task, "two")
            if error is not None:
                raise error

    tasks = TaskGroup()
    if error is None:
        run()
    else:
        with pytest.raises(type(error)):
            run()
    assert sorted(ended) == ["one", "two"]


def test_join_waits_until_the_tasks_have_ended_by_themselves() -> None:
    seen: list[int] = []
    with TaskGroup() as tasks:
        for number in range(3):
            tasks.start(seen.append, number)
        tasks.join(10)
        assert not tasks.done.is_set()
        assert sorted(seen) == [0, 1, 2]


def test_a_task_that_a_task_starts_is_waited_for() -> None:
    ended = threading.Event()

    def inner() -> None:
        tasks.done.wait(10)
        ended.set()

    with TaskGroup() as tasks:
        tasks.start(tasks.start, inner)
        tasks.wait(lambda: len(tasks._running()) == 1, 10, "only the inner one runs")
    assert ended.is_set()


def test_a_task_that_does_not_end_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base_tasks, "_END_S", 0.05)
    may_end = threading.Event()
    with pytest.raises(NotInTimeError, match="deaf did not end"), TaskGroup() as tasks:
        tasks.start(may_end.wait, 10, name="deaf")
    may_end.set()
    for thread in tasks._threads:
        thread.join()


def test_a_wait_that_is_in_vain_says_what_it_waited_for() -> None:
    with pytest.raises(NotInTimeError, match="the moon is blue"), TaskGroup() as tasks:
        tasks.wait(lambda: False, 0, "the moon is blue")


def test_a_cancelled_run_ends_its_tasks_too() -> None:
    cancelled, begun, ended = threading.Event(), threading.Event(), []

    def task() -> None:
        begun.set()
        try:
            wait.until(lambda: False, 60, "what never comes true")
        except CancelledError:
            ended.append("task")
            raise

    with pytest.raises(CancelledError), reporting(cancelled=cancelled), TaskGroup() as tasks:
        tasks.start(task)
        assert begun.wait(10)
        cancelled.set()
        tasks.join(30)
    assert ended == ["task"]


def test_what_a_task_says_of_its_progress_is_heard() -> None:
    told: list[str] = []
    with reporting(lambda _, words: told.append(words)), TaskGroup() as tasks:
        tasks.start(checkpoint, 0.5, "half of it")
        tasks.join(10)
    assert told == ["half of it"]
