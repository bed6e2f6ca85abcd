"""What a run is handed, checked before anything starts: a wrong value is refused with its name and what would do."""

from collections.abc import Iterable
from typing import Any

from labkit.base.errors import LabError


def one_of(error: type[LabError], name: str, value: Any, known: Iterable[str]) -> None:
    """Raises `error`, which lists what is known, unless the value is one of it."""
    names = list(known)
    if not isinstance(value, str) or value not in names:
        raise error(f"{name} is {value!r}.", f"take one of: {'; '.join(names)}")


def whole(error: type[LabError], name: str, value: Any, low: int | None = None, high: int | None = None) -> None:
    """Raises `error` unless it is a whole number in the range."""
    if type(value) is not int:  # True would pass as 1
        example = 1 if low is None else low
        raise error(f"{name} is {value!r}: it must be a whole number.", f"give {name}={example}, for example")
    if (low is not None and value < low) or (high is not None and value > high):
        raise error(f"{name} is {value}.", f"give a whole number from {low} to {high}")


def number(error: type[LabError], name: str, value: Any, high: float, what: str = "") -> None:
    """Raises `error` unless it is a number from 0 to `high`. what: what it is, for the message."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= high:  # refuses nan too
        raise error(f"{name} is {value!r}{what and ': '}{what}.", f"give a number from 0 to {high:g}")
