"""A run says how far it is, and is stopped, without an argument for it."""

import contextvars
import gc
import threading
import weakref
from concurrent.futures import CancelledError
from contextlib import suppress

import pytest

from labkit.base import wait
from labkit.base.checkpoint import checkpoint, part, reporting, shielded


class Told:
    """What a listener was told."""

    def __init__(self) -> None:
        self.all: list[tuple[float | None, str]] = []

    def __call__(self, done: float | None, words: str) -> None:
        self.all.append((done, words))


def flag(is_set: bool = True) -> threading.Event:
    event = threading.Event()
    if is_set:
        event.set()
    return event


def test_nothing_happens_when_nobody_listens() -> None:
    checkpoint(0.5, "half of it")
    with reporting(cancelled=flag(False)):
        checkpoint(0.5, "half of it")
    assert wait.until(lambda: "the answer", 1, "it answers") == "the answer"


def test_who_listens_is_told_how_far_the_run_is_and_no_longer_than_it_listens() -> None:
    told = Told()
    with reporting(told):
        checkpoint(0.5, "half of it")
        checkpoint(words="some of it")
        checkpoint(1)
        checkpoint()  # asks only whether to go on
    checkpoint(0.7, "too late")
    assert told.all == [(0.5, "half of it"), (None, "some of it"), (1, "")]


def test_a_cancelled_run_ends_at_its_next_checkpoint_and_says_nothing_there() -> None:
    told, stop = Told(), flag(False)
    with pytest.raises(CancelledError), reporting(told, stop):
        checkpoint(0.1, "begun")
        stop.set()
        checkpoint(0.2, "never said")
    assert told.all == [(0.1, "begun")]


def test_a_cancelled_run_waits_for_no_fact() -> None:
    with pytest.raises(CancelledError), reporting(cancelled=flag()):
        wait.until(lambda: False, 30, "what never comes true")


def test_a_fact_that_is_true_already_is_no_wait() -> None:
    with reporting(cancelled=flag()):
        assert wait.until(lambda: 7, 30, "it is there")


def test_what_cleans_up_after_a_cancel_may_wait_again() -> None:
    tries = iter([0, 0, 1])
    with pytest.raises(CancelledError), reporting(cancelled=flag()):
        try:
            checkpoint()
        finally:
            wait.until(lambda: next(tries), 5, "all is put away")
    assert next(tries, "none left") == "none left"


def test_the_next_run_with_the_same_flag_is_cancelled_again() -> None:
    stop = flag()
    for _ in range(2):
        with pytest.raises(CancelledError), reporting(cancelled=stop):
            checkpoint()


def test_a_run_that_was_cancelled_is_forgotten() -> None:
    told = Told()
    alive = weakref.ref(told)
    with suppress(CancelledError), reporting(told, flag()):
        checkpoint()
    del told
    gc.collect()
    assert alive() is None


def test_what_is_shielded_is_neither_cancelled_nor_heard_and_then_the_cancel_comes() -> None:
    told = Told()
    with reporting(told, flag()):
        with shielded():
            checkpoint(0.5, "putting away")
        assert not told.all
        with pytest.raises(CancelledError):
            checkpoint()


def test_every_thread_that_runs_in_a_copied_context_is_stopped() -> None:
    stopped: list[str] = []
    ready, stop = threading.Barrier(3), flag(False)

    def work(name: str) -> None:
        ready.wait(10)
        try:
            wait.until(lambda: False, 30, "what never comes true")
        except CancelledError:
            stopped.append(name)

    with reporting(cancelled=stop):
        threads = [
            threading.Thread(target=contextvars.copy_context().run, args=(work, name)) for name in ("one", "two")
        ]
        for thread in threads:
            thread.start()
        ready.wait(10)
        stop.set()
        for thread in threads:
            thread.join(10)
        with pytest.raises(CancelledError):
            checkpoint()
    assert sorted(stopped) == ["one", "two"]


def test_a_run_inside_another_is_cancelled_by_both() -> None:
    for outer, inner in ((True, False), (False, True)):
        with pytest.raises(CancelledError), reporting(cancelled=flag(outer)), reporting(cancelled=flag(inner)):
            checkpoint()


def test_a_run_inside_another_that_was_cancelled_alone_leaves_the_outer_one_to_be_cancelled() -> None:
    stop = flag(False)
    with reporting(cancelled=stop):
        with pytest.raises(CancelledError), reporting(cancelled=flag()):
            checkpoint()
        checkpoint()
        stop.set()
        with pytest.raises(CancelledError):
            checkpoint()


def test_of_several_parts_each_fills_its_stretch_of_the_whole() -> None:
    told = Told()
    with reporting(told):
        for number, name in enumerate(("Kafka", "RabbitMQ")):
            with part(number, 2, name):
                checkpoint(0.5, "half")
                checkpoint(words="no number")
    assert told.all == [
        (0.0, "Kafka …"), (0.25, "Kafka: half"), (None, "Kafka: no number"),
        (0.5, "RabbitMQ …"), (0.75, "RabbitMQ: half"), (None, "RabbitMQ: no number"),
    ]  # fmt: skip


def test_a_part_begins_with_a_look_whether_the_run_is_cancelled() -> None:
    begun: list[int] = []
    with pytest.raises(CancelledError), reporting(cancelled=flag()), part(0, 2):
        begun.append(1)
    assert not begun


def test_a_part_to_which_nobody_listens_just_runs() -> None:
    with part(1, 2, "alone"):
        checkpoint(0.5, "half")
