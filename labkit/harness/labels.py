"""Words for the names of settings: `delay_ms` reads "delay" in ms, `failure_rate` is told in percent."""

from dataclasses import dataclass
from typing import Any

_UNITS = {"ms": "ms", "s": "s", "us": "µs", "kb": "kB", "mb": "MB", "bytes": "bytes", "per_s": "per s"}
_PERCENT = ("_rate", "_share", "_probability")
_NAMES = {"http": "HTTP", "kafka": "Kafka", "rabbitmq": "RabbitMQ", "smtp": "SMTP", "id": "id"}


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
