"""The end of a run: everything is deleted, and its own error is the one that is raised."""

import threading
from contextlib import suppress

import pytest

from labkit.base import wait
from labkit.base.checkpoint import reporting
from labkit.base.cleanup import cleanup
from labkit.base.errors import BrokerError


def gone() -> None:
    raise BrokerError("nothing could be deleted", "start it again")


def test_what_went_wrong_in_the_run_is_raised_with_a_note_of_what_could_not_be_deleted() -> None:
    with pytest.raises(KeyError, match="the run") as error, cleanup(gone):
        raise KeyError("the run")
    assert "nothing could be deleted" in error.value.__notes__[0]


def test_what_could_not_be_deleted_after_a_good_run_is_raised() -> None:
    with pytest.raises(BrokerError, match="nothing could be deleted"), cleanup(gone):
        pass


@pytest.mark.parametrize("error", [None, KeyError("the run"), KeyboardInterrupt()])
def test_it_is_cleaned_up_once_however_the_run_ends(error: BaseException | None) -> None:
    done: list[str] = []

    def run() -> None:
        with cleanup(lambda: done.append("cleaned up")):
            if error is not None:
                raise error

    if error is None:
        run()
    else:
        with pytest.raises(type(error)):
            run()
    assert done == ["cleaned up"]


@pytest.mark.parametrize("fails", [True, False])
def test_cancel_does_not_stop_a_clean_up(fails: bool) -> None:
    cancelled = threading.Event()

    def undo() -> None:
        cancelled.set()
        tries = iter((0, 1))
        wait.until(lambda: next(tries), 10, "it is deleted")
        done.append("cleaned up")

    done: list[str] = []
    with reporting(cancelled=cancelled), suppress(KeyError), cleanup(undo):
        if fails:
            raise KeyError("the run")
    assert done == ["cleaned up"]
