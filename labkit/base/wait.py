"""Wait for a fact, never for a time."""

import time
from collections.abc import Callable
from typing import TypeVar

from labkit.base import patience
from labkit.base.checkpoint import checkpoint
from labkit.base.errors import NotInTimeError

T = TypeVar("T")


def until(fact: Callable[[], T], within_s: float, what: str, every_s: float = 0.02) -> T:
    """Call `fact` until it answers something true, and return that answer.

    fact: asked at once, then every `every_s` seconds. An exception it raises is the caller's, and ends the wait.
    within_s: seconds that this may take on a quiet machine; `LABKIT_PATIENCE` makes them more. what: the fact in words
    ("the broker answers"), for the error. Raises NotInTimeError when they are over first, CancelledError when the run
    that waits is cancelled.
    """
    within_s = patience.seconds(within_s)
    end = time.monotonic() + within_s
    while True:
        answer = fact()
        if answer:
            return answer
        if time.monotonic() >= end:
            raise NotInTimeError(
                f"Timed out after {within_s:g} s waiting until {what}.",
                "look at `python -m labkit status` and `python -m labkit logs`; a busy machine may need a second try",
            )
        checkpoint()
        time.sleep(every_s)
