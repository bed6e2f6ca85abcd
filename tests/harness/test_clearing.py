"""The end of a run: everything is deleted, and its own error is the one that is raised."""

import pytest

from labkit.base.errors import BrokerError
from labkit.harness.clearing import cleared


def gone() -> None:
    raise BrokerError("nothing could be deleted", "start it again")


def test_what_went_wrong_in_the_run_is_raised_and_not_what_could_not_be_deleted() -> None:
    with pytest.raises(KeyError, match="the run"), cleared(gone):
        raise KeyError("the run")


def test_what_could_not_be_deleted_after_a_good_run_is_raised() -> None:
    with pytest.raises(BrokerError, match="nothing could be deleted"), cleared(gone):
        pass


@pytest.mark.parametrize("error", [None, KeyError("the run"), KeyboardInterrupt()])
def test_it_is_cleared_once_however_the_run_ends(error: BaseException | None) -> None:
    done: list[str] = []

    def run() -> None:
        with cleared(lambda: done.append("cleared")):
            if error is not None:
                raise error

    if error is None:
        run()
    else:
        with pytest.raises(type(error)):
            run()
    assert done == ["cleared"]
