"""Words for what an experiment measured: `retries_lag_p50` reads "HTTP with retries: lag, half within"."""

from itertools import takewhile

from labkit.harness.labels import words
from labkit.plots.style import LOOKS

_WHOSE = ("inventory", "notification", "analytics", "fraud")  # services; who else measures have names of: the pictures
_PARTS = {"p50": "half within", "p90": "9 of 10 within", "p99": "99 of 100 within", "effects": "done"}


def measure(name: str) -> str:
    """A measure's name as words, first whose it is: `retries_lag_p50` is "HTTP with retries: lag, half within"."""
    parts = [part for part in name.split("_") if part]
    whose = list(takewhile(lambda part: part in LOOKS or part in _WHOSE, parts))
    rest, last = parts[len(whose) :], ""
    if rest and rest[-1] in _PARTS:
        last = _PARTS[rest.pop()]
    told = ", ".join(text for text in (words("_".join(rest)), last) if text)
    names = ", ".join(LOOKS[part].name if part in LOOKS else part for part in whose)
    return ": ".join(text for text in (names, told) if text)
