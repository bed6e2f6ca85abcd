"""What a run has made is deleted at its end, and what went wrong in it is not hidden by that."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from labkit.base.errors import BrokerError


@contextmanager
def cleared(clear: Callable[[], object]) -> Iterator[None]:
    """Call `clear` at the end of a `with`, however it ends.

    A broker that has died in the run cannot delete anything either. Then it is the run's error that is raised.
    """
    try:
        yield
    except BaseException:
        try:
            clear()
        except BrokerError:
            pass
        raise
    clear()
