"""What a run has made is deleted at its end, and the error of the run is not hidden by that."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from labkit.base.checkpoint import shielded


@contextmanager
def cleanup(undo: Callable[[], object]) -> Iterator[None]:
    """Call `undo` at the end of a `with`, however it ends.

    A broker that has died in the run cannot delete anything either. Then it is the run's error that is raised, with
    a note of what the clean-up said. After a good run, what `undo` raises is raised. Cancel does not stop a clean-up.
    """
    try:
        yield
    except BaseException as error:
        try:
            with shielded():
                undo()
        except Exception as late:
            error.add_note(f"The clean-up failed too: {late}")
        raise
    with shielded():
        undo()
