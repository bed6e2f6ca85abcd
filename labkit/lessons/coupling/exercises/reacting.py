"""Lesson 01, write: a consumer that reacts to `OrderPlaced`, and that no message can stop."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from labkit.events.event import Event, EventError
from labkit.teach.checks.consumer import Ack, Consumer, DeadLetter, Reserve, Story, on_a_list
from labkit.teach.exercises.exercise import Exercise, Wrong
from labkit.teach.exercises.verdict import Finding


def _stub(raw: bytes, reserve: Reserve, dead_letter: DeadLetter, ack: Ack) -> Any:
    """One message from the broker. reserve(order), dead_letter(raw, why) and ack() are yours to call."""
    return ...


def _answer(raw: bytes, reserve: Reserve, dead_letter: DeadLetter, ack: Ack) -> None:
    try:
        event = Event.from_bytes(raw)
    except EventError as error:
        dead_letter(raw, str(error))
    else:
        if event.type == "OrderPlaced":
            reserve(event.subject)
    ack()


def _acks_first(raw: bytes, reserve: Reserve, dead_letter: DeadLetter, ack: Ack) -> None:
    ack()
    try:
        event = Event.from_bytes(raw)
    except EventError as error:
        dead_letter(raw, str(error))
        return
    if event.type == "OrderPlaced":
        reserve(event.subject)


def _swallows(raw: bytes, reserve: Reserve, dead_letter: DeadLetter, ack: Ack) -> None:
    try:
        event = Event.from_bytes(raw)
        if event.type == "OrderPlaced":
            reserve(event.subject)
    except Exception:
        pass
    ack()


def _buries(raw: bytes, reserve: Reserve, dead_letter: DeadLetter, ack: Ack) -> None:
    try:
        event = Event.from_bytes(raw)
        if event.type == "OrderPlaced":
            reserve(event.subject)
    except Exception as error:
        dead_letter(raw, str(error))
    ack()


def _trusts(raw: bytes, reserve: Reserve, dead_letter: DeadLetter, ack: Ack) -> None:
    event = Event.from_bytes(raw)
    if event.type == "OrderPlaced":
        reserve(event.subject)
    ack()


def _reserves_all(raw: bytes, reserve: Reserve, dead_letter: DeadLetter, ack: Ack) -> None:
    try:
        event = Event.from_bytes(raw)
    except EventError as error:
        dead_letter(raw, str(error))
    else:
        reserve(event.subject)
    ack()


def _refuses(raw: bytes, reserve: Reserve, dead_letter: DeadLetter, ack: Ack) -> None:
    try:
        event = Event.from_bytes(raw)
    except EventError as error:
        dead_letter(raw, str(error))
    else:
        if event.type == "OrderPlaced":
            reserve(event.subject)
        else:
            dead_letter(raw, f"unknown type {event.type}")
    ack()


def _message(kind: str, order: str) -> bytes:
    return Event(kind, "/shop/checkout", order, {"order": order}, id=f"{order}-{kind}", time=_TIME).to_bytes()


_TIME = datetime(2017, 3, 1, 12, tzinfo=UTC)
_STRANGE = ("OrderGiftWrapped", "order-2")
_POISON = (b"{not json", b'{"hello": "world"}')
_AWAY = "order-3"
_ORDERS = ("order-1", _AWAY, "order-4")


def messages() -> list[bytes]:
    """What the check sends: three orders, a type nobody told us about, two that are no events."""
    placed = [_message("OrderPlaced", order) for order in _ORDERS]
    return [placed[0], _message(*_STRANGE), _POISON[0], placed[1], _POISON[1], placed[2]]


def away() -> set[str]:
    """The orders for which the store cannot be reached, the first time."""
    return {_AWAY}


def judge(story: Story) -> list[Finding]:
    """Whether a consumer did right, on whatever broker."""
    return [_reserves(story), _strange(story), _poison(story), _waits(story), _ack_last(story)]


def _reserves(story: Story) -> Finding:
    missing = [order for order in _ORDERS if order != _AWAY and story.reserved.count(order) != 1]
    if missing:
        return Finding(False, f"OrderPlaced for {', '.join(missing)}: stock must be reserved, once.{_raised(story)}")
    return Finding(True, "Every OrderPlaced reserves stock, once.")


def _strange(story: Story) -> Finding:
    raw = _message(*_STRANGE)
    if _STRANGE[1] in story.reserved:
        return Finding(False, f"{_STRANGE[0]} reserved stock: only OrderPlaced may. Look at the event's type.")
    if raw in story.dead:
        return Finding(False, f"{_STRANGE[0]} is a dead letter: it is a good event, for somebody else. Let it go.")
    if raw in story.left:
        return Finding(False, f"{_STRANGE[0]} was never acknowledged: it comes back forever.{_raised(story, raw)}")
    return Finding(True, "A type that is none of its business is let go.")


def _poison(story: Story) -> Finding:
    lost = [raw for raw in _POISON if raw not in story.dead]
    stuck = [raw for raw in _POISON if raw in story.left]
    if stuck:
        return Finding(
            False, f"The bytes {stuck[0]!r} come back forever: nobody acknowledged them.{_raised(story, stuck[0])}"
        )
    if lost:
        return Finding(False, f"The bytes {lost[0]!r} are gone: they must lie in the dead letters, as they came.")
    return Finding(True, "What is no event is a dead letter, as it came, and blocks nobody.")


def _waits(story: Story) -> Finding:
    raw = _message("OrderPlaced", _AWAY)
    if raw in story.dead:
        return Finding(False, f"{_AWAY} is a dead letter because the store was away for a moment: it was a good order.")
    if _AWAY not in story.reserved:
        return Finding(False, f"{_AWAY} is lost: the store was away, and the message was acknowledged all the same.")
    return Finding(True, "While the store is away nothing is acknowledged: the order comes again, and is reserved.")


def _ack_last(story: Story) -> Finding:
    early = [one for one in story.deliveries if "acked" in one.did and one.did.index("acked") < len(one.did) - 1]
    if early:
        return Finding(
            False, f"It acknowledged first and worked then ({', then '.join(early[0].did)}): a crash between loses it."
        )
    return Finding(True, "It acknowledges last.")


def _raised(story: Story, raw: bytes = b"") -> str:
    """The first error of the consumer that was not the store's, to be added to a finding."""
    errors = [
        word
        for one in story.deliveries
        for word in one.did
        if word.startswith("raised") and "StoreAwayError" not in word and raw in (b"", one.raw)
    ]
    return f" It {errors[0].splitlines()[0]}." if errors else ""


def _on_a_list(answer: Consumer) -> Sequence[Finding]:
    return judge(on_a_list(answer, messages(), away()))


react = Exercise(
    name="react",
    task="Write a consumer: reserve on OrderPlaced, let other types go, put what is no event to the dead letters, "
    "and acknowledge when, and only when, the work is done.",
    stub=_stub,
    answer=_answer,
    judge=_on_a_list,
    hints=(
        "For each message there are four ends: done, not for me, no event at all, not now. "
        "After which of them may the broker forget the message?",
        "`Event.from_bytes` raises EventError for what is no event: catch that, and only that. "
        "An error of `reserve` must get out of your function before `ack()` is reached.",
        "try: event = Event.from_bytes(raw), except EventError as error: dead_letter(raw, str(error)), else: reserve "
        "event.subject if event.type is OrderPlaced. Then, as the last line of all, ack().",
    ),
    wrong=(
        Wrong(_acks_first, "an acknowledgement says that the message has come", "is lost: the store was away"),
        Wrong(_swallows, "an error that is caught is dealt with", "are gone: they must lie in the dead letters"),
        Wrong(_buries, "every error is the message's fault", "it was a good order"),
        Wrong(_trusts, "only events come out of a topic", "come back forever"),
        Wrong(_reserves_all, "only OrderPlaced comes out of this topic", "only OrderPlaced may"),
        Wrong(_refuses, "an event of an unknown type is a broken one", "for somebody else"),
    ),
)
