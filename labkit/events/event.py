"""The event: a fact in the past tense, in an envelope that every service can read.

The envelope is CloudEvents 1.0 in JSON ("structured mode"). Three attributes are extensions, and lower case as
CloudEvents wants them: `correlationid`, `causationid` and `sequence`.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar, cast

import orjson

from labkit.events.attributes import SPECVERSION, UTC, EventError, a_time, an_object, explain, in_utc, sequence, text

CONTENT_TYPE = "application/cloudevents+json"

_DIGITS = 10  # a sequence is text in CloudEvents, and has to sort like a number

T = TypeVar("T")

__all__ = ["CONTENT_TYPE", "SPECVERSION", "Event", "EventError", "choose"]


def _fresh_id() -> str:
    return str(uuid.uuid4())


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Event:
    """One fact. It cannot be changed: what happened, happened.

    type: what happened, in the past tense: `OrderPlaced`. source: who says so: `/shop/checkout`.
    subject: what it is about, an order's id for example. Brokers take it as the key.
    data: what there is to say; anything that JSON can hold (NaN and infinity become null).
    id: the event's own name. time: when it happened, with its time zone; kept in UTC.
    correlation_id: the same in all events of one story; by default the id of the event that began it.
    causation_id: the id of the event that led to this one. seq: its number among the events of its subject, from 1.
    Raises EventError for a time without a zone.
    """

    type: str
    source: str
    subject: str
    data: dict[str, Any] = field(hash=False)
    id: str = field(default_factory=_fresh_id)
    time: datetime = field(default_factory=_now)
    correlation_id: str = ""
    causation_id: str | None = None
    seq: int = 0

    def __post_init__(self) -> None:
        if self.time.tzinfo is not UTC:
            object.__setattr__(self, "time", in_utc(self.time))
        if not self.correlation_id:
            object.__setattr__(self, "correlation_id", self.id)

    def caused(
        self,
        type: str,  # noqa: A002  the attribute's name
        source: str,
        data: dict[str, Any],
        subject: str | None = None,
        seq: int = 0,
    ) -> "Event":
        """A new event that this one led to: same story (correlation id), this event as its cause.

        subject: by default what this event is about.
        """
        about = self.subject if subject is None else subject
        return Event(type, source, about, data, correlation_id=self.correlation_id, causation_id=self.id, seq=seq)

    def to_dict(self) -> dict[str, Any]:
        """The CloudEvents attributes. `time` stays a datetime: `orjson.dumps` writes it, `json.dumps` does not."""
        attributes: dict[str, Any] = {
            "specversion": SPECVERSION,
            "id": self.id,
            "source": self.source,
            "type": self.type,
            "time": self.time,
            "subject": self.subject,
            "datacontenttype": "application/json",
            "correlationid": self.correlation_id,
            "sequence": str(self.seq).zfill(_DIGITS),
            "data": self.data,
        }
        if self.causation_id is not None:
            attributes["causationid"] = self.causation_id
        return attributes

    def to_bytes(self) -> bytes:
        """The event as it goes over the wire. Raises EventError when `data` holds what JSON cannot."""
        try:
            return orjson.dumps(self.to_dict(), option=orjson.OPT_UTC_Z)
        except TypeError as error:
            raise EventError(
                f"The event {self.type} {self.id} cannot be written as JSON: {error}.",
                "put only text, numbers, true/false, None, lists and dicts with text keys into its data",
                field="data",
            ) from error

    @classmethod
    def from_bytes(cls, raw: bytes) -> "Event":
        """The event that `to_bytes`, or any other writer of CloudEvents, has made.

        Attributes that are not ours are left out. Raises EventError that names the field and keeps the bytes.
        """
        try:
            attributes = _loads(raw)
        except orjson.JSONDecodeError as error:
            raise EventError(f"These {len(raw)} bytes are not JSON: {error}.", raw=bytes(raw)) from error
        return _quick(attributes) or _thorough(attributes, raw)

    @classmethod
    def from_dict(cls, attributes: Mapping[str, Any]) -> "Event":
        """The event with these CloudEvents attributes; `time` may be text or a datetime. Raises EventError."""
        return _thorough(attributes, b"")


def choose(event: Event, handlers: Mapping[str, Callable[..., T]], raw: bytes = b"") -> Callable[..., T]:
    """The handler for the event's type. Raises EventError (field `type`) when there is none."""
    handler = handlers.get(event.type)
    if handler is None:
        raise EventError(
            f"No handler for the event type {event.type!r} (event {event.id}, subject {event.subject}).",
            f"handled here: {', '.join(sorted(handlers)) or 'nothing'}; add a handler, or do not subscribe to it",
            field="type",
            raw=raw or event.to_bytes(),
        )
    return handler


_loads = orjson.loads
_time_of = datetime.fromisoformat


class _Blank:
    """An event's slots, still open: filled like any object's, and made an Event when all is in its place."""

    __slots__ = Event.__slots__


def _quick(a: Any) -> Event | None:
    """The event, when everything is exactly as `to_bytes` writes it; else None. Half the price of `_thorough`.

    A consumer does this for every event. So it asks everything at once, and goes around the frozen `__init__`.
    """
    try:
        version, name, kind, source, subject = a["specversion"], a["id"], a["type"], a["source"], a["subject"]
        story, cause, seq, data = a["correlationid"], a.get("causationid"), a["sequence"], a["data"]
        time = _time_of(a["time"])
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    if not (
        version == SPECVERSION
        and type(kind) is str is type(source)
        and type(subject) is str is type(name)
        and type(story) is str is type(seq)
        and type(data) is dict
        and time.tzinfo is UTC
        and (cause is None or (type(cause) is str and cause))
        and (kind and source and subject and name and story)
        and (seq.isdecimal() and len(seq) < 20)
    ):
        return None
    event: Any = _Blank()
    event.type = kind
    event.source = source
    event.subject = subject
    event.data = data
    event.id = name
    event.time = time
    event.correlation_id = story
    event.causation_id = cause
    event.seq = int(seq)
    event.__class__ = Event
    return cast(Event, event)


def _thorough(a: Any, raw: bytes) -> Event:
    try:
        if a["specversion"] != SPECVERSION:
            raise ValueError
        return Event(
            text(a["type"]),
            text(a["source"]),
            text(a["subject"]),
            an_object(a.get("data", {})),
            text(a["id"]),
            a_time(a["time"]),
            text(a.get("correlationid", a["id"])),
            text(a["causationid"]) if a.get("causationid") is not None else None,
            sequence(a.get("sequence", 0)),
        )
    except (KeyError, TypeError, ValueError, AttributeError, EventError):
        raise explain(a, raw) from None  # the lines above only say that it is wrong; this finds out what
