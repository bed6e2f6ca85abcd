"""Call what a learner has written: its errors are findings, and nothing of it goes on forever."""

from collections.abc import Callable
from typing import Any

CALLS = 1_000  # more calls of a broker than any answer needs


class AnswerError(Exception):
    """A learner's function raised. What it raised is the cause."""


class EndlessError(BaseException):
    """A learner's function does not stop. No `except Exception` of its own keeps it going."""


def asked(answer: Callable[..., Any], *arguments: Any) -> Any:
    """What the function answers. Raises AnswerError with whatever it raised as the cause."""
    try:
        return answer(*arguments)
    except (Exception, EndlessError) as problem:
        raise AnswerError(str(problem)) from problem


class Purse:
    """So many calls and no more. Raises EndlessError when they are spent: a loop that never ends is ended."""

    def __init__(self, calls: int = CALLS) -> None:
        self._calls = self._left = calls

    def spend(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise EndlessError(f"{self._calls:,} calls; does the function ever stop?")
