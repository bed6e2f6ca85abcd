"""What the attributes of an event may be, and the error that says which one is not."""

from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

from labkit.base.errors import LabError

SPECVERSION = "1.0"  # of CloudEvents
UTC = timezone.utc  # noqa: UP017  a plain global is found faster than an attribute of a module

_SENDER = "look at the bytes (`error.raw`), and mend the program that published them"


class EventError(LabError):
    """Something is not an event, or not one that can be handled.

    field: the attribute that is wrong; empty when the whole is. raw: the bytes as they came, to keep or look at.
    """

    def __init__(self, what: str, cure: str = _SENDER, field: str = "", raw: bytes = b"") -> None:
        super().__init__(what, cure)
        self.field = field
        self.raw = raw


def text(value: Any) -> str:
    if type(value) is str and value:
        return value
    raise ValueError("it must be text, and not empty")


def an_object(value: Any) -> dict[str, Any]:
    if type(value) is dict:
        return value
    raise ValueError("it must be a JSON object")


def a_time(value: Any) -> datetime:
    moment = value if type(value) is datetime else datetime.fromisoformat(value)
    return moment if moment.tzinfo is UTC else in_utc(moment)


def in_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise EventError(f"The time {moment} does not say its time zone.", "use datetime.now(timezone.utc)", "time")
    return moment.astimezone(UTC)


def sequence(value: Any) -> int:
    number = int(value) if type(value) is str and value.isdecimal() else value
    if type(number) is int and number >= 0:
        return number
    raise ValueError("it must be a whole number, 0 or more")


_RULES: dict[str, Callable[[Any], Any]] = {
    "id": text,
    "source": text,
    "type": text,
    "subject": text,
    "time": a_time,
    "data": an_object,
    "correlationid": text,
    "causationid": text,
    "sequence": sequence,
}
_REQUIRED = ("specversion", "id", "source", "type", "subject", "time")


def explain(a: Any, raw: bytes) -> EventError:
    """Which attribute it is that cannot be used, and why."""
    if not isinstance(a, Mapping):
        return EventError(f"An event is a JSON object, and this is {type(a).__name__}.", raw=raw)
    for name in _REQUIRED:
        if name not in a:
            return EventError(f"The event's {name} is missing.", field=name, raw=raw)
    if a["specversion"] != SPECVERSION:
        said = f"The event's specversion is {a['specversion']!r}, and only {SPECVERSION!r} is understood."
        return EventError(said, field="specversion", raw=raw)
    for name, rule in _RULES.items():
        try:
            if a.get(name) is not None or (name in a and name != "causationid"):
                rule(a[name])
        except (TypeError, ValueError, EventError) as error:
            why = "it has no time zone" if isinstance(error, EventError) else str(error)
            return EventError(f"The event's {name} is {_short(a[name])}: {why}.", field=name, raw=raw)
    return EventError("The event cannot be read.", raw=raw)


def _short(value: Any) -> str:
    said = repr(value)
    return said if len(said) <= 60 else said[:57] + "..."
