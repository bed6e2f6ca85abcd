"""Words for the names of code: `delay_ms` reads "delay" in ms, `failure_rate` is told in percent."""

from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from labkit.plots.style import LOOKS

_UNITS = {"ms": "ms", "s": "s", "us": "µs", "kb": "kB", "mb": "MB", "bytes": "bytes", "per_s": "per s"}
_PERCENT = ("_rate", "_share", "_probability")
_NAMES = {"http": "HTTP", "kafka": "Kafka", "rabbitmq": "RabbitMQ", "smtp": "SMTP", "id": "id"}
_WHOSE = ("inventory", "notification", "analytics", "fraud")  # services; who else measures have names of: the pictures
_PARTS = {"p50": "half within", "p90": "9 of 10 within", "p99": "99 of 100 within", "effects": "done"}


@dataclass(frozen=True)
class Label:
    """How a control is called, and the unit of its values. A percent is shown as one; its value stays a part of 1."""

    words: str
    unit: str = ""
    percent: bool = False

    def __str__(self) -> str:
        return f"{self.words} ({self.unit})" if self.unit else self.words

    def with_value(self, value: Any) -> str:
        """The setting in words: "delay 200 ms", "failure rate 5 %", "keyed yes"."""
        if isinstance(value, bool):
            return f"{self.words} {'yes' if value else 'no'}"
        if self.percent and isinstance(value, int | float):
            return f"{self.words} {100 * value:g} %"
        text = ", ".join(map(_said, value)) if isinstance(value, list | tuple) else _said(value)
        return f"{self.words} {text} {self.unit}".rstrip()


def _said(value: Any) -> str:
    return f"{value:,g}" if isinstance(value, float) else "none" if value is None else str(value)


def label(name: str, highest: float | None = None) -> Label:
    """The label for a parameter's name. highest: the largest value it can take; a rate up to 1 is a percent."""
    for ending, unit in _UNITS.items():
        if name.endswith(f"_{ending}"):
            return Label(words(name.removesuffix(f"_{ending}")), unit)
    percent = highest is not None and highest <= 1 and name.endswith(_PERCENT)
    return Label(words(name), percent=percent)


def words(name: str) -> str:
    """A name as words: `kafka_p99` is "Kafka p99"."""
    return " ".join(_NAMES.get(part, part) for part in name.split("_") if part)


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
