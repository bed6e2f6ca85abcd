"""Lesson 02, predict: who gets how many events, when nobody is there all the time."""

from collections.abc import Callable, Sequence
from typing import Any

from labkit.teach.exercises.exercise import Exercise, Wrong
from labkit.teach.exercises.verdict import Finding

DURABLE, EXCLUSIVE, EARLIEST, LATEST = "durable queue", "exclusive queue", "earliest group", "latest group"
KINDS = (DURABLE, EXCLUSIVE, EARLIEST, LATEST)

# came, left, back, n: away in the middle, never away, there before the first, there after the last, back after the last
CASES = ((3, 5, 8, 10), (2, 2, 2, 10), (0, 4, 7, 12), (10, 10, 10, 10), (4, 6, 10, 10))

Predict = Callable[..., Any]


def _stub(kind: str, came: int, left: int, back: int, n: int) -> Any:
    """Events 1 to n. It subscribes after event `came`, is away from `left` to `back`. How many does it get in all?"""
    return ...


def _answer(kind: str, came: int, left: int, back: int, n: int) -> int:
    if kind == "earliest group":
        return n
    if kind == "exclusive queue":
        return (left - came) + (n - back)
    return n - came


def _all(kind: str, came: int, left: int, back: int, n: int) -> int:
    return n


def _only_while_there(kind: str, came: int, left: int, back: int, n: int) -> int:
    return (left - came) + (n - back)


def _obeys_at_every_start(kind: str, came: int, left: int, back: int, n: int) -> int:
    return (left - came) + (n - back) if kind == "latest group" else _answer(kind, came, left, back, n)


def _a_queue_is_a_queue(kind: str, came: int, left: int, back: int, n: int) -> int:
    return n - came if kind == "exclusive queue" else _answer(kind, came, left, back, n)


def _a_log_is_a_queue(kind: str, came: int, left: int, back: int, n: int) -> int:
    return n - came if kind == "earliest group" else _answer(kind, came, left, back, n)


_KEEPS_NOTHING_OLD = "What was published before a queue was bound never went into it"
_KEPT_MEANWHILE = "The queue stays bound while its reader is away, and keeps what comes"
_GOES_WITH_IT = "An exclusive queue goes when its connection goes: while you are away, nothing keeps your events"
_LOG_HAS_ALL = "The topic still has what was published before the group's first day, and earliest begins there"
_BEHIND_THE_LAST = "On its first day a latest group begins behind the newest event"
_GOES_ON = "The setting counts on the first day only. When it comes back, the group goes on where it had committed"


def _why(kind: str, short: bool) -> str:
    """What to say to a wrong number of this kind of subscriber. short: the number is too small."""
    if kind == DURABLE:
        return _KEPT_MEANWHILE if short else _KEEPS_NOTHING_OLD
    if kind == EXCLUSIVE:
        return "While it is there, it gets every event" if short else _GOES_WITH_IT
    if kind == EARLIEST:
        return _LOG_HAS_ALL if short else "No event comes twice to a group that has committed"
    return _GOES_ON if short else _BEHIND_THE_LAST


def _judge(answer: Predict) -> Sequence[Finding]:
    return [_kind(answer, kind) for kind in KINDS]


def _kind(answer: Predict, kind: str) -> Finding:
    for case in CASES:
        got, right = answer(kind, *case), _answer(kind, *case)
        if got != right:
            return Finding(False, f"{kind}, {_told(case)}: {_number(got, right)}{_reason(kind, got, right)}")
    return Finding(True, f"{kind}: {_RIGHT[kind]}.")


_RIGHT = {
    DURABLE: "all since it was bound, whether its reader is there or not",
    EXCLUSIVE: "only what is published while its reader is connected",
    EARLIEST: "all, even from before its first day",
    LATEST: "all since its first day, also what came while it was away",
}


def _told(case: tuple[int, int, int, int]) -> str:
    came, left, back, n = case
    away = f", away from {left} to {back}" if left < back else ""
    return f"{n} events, subscribed after event {came}{away}"


def _number(got: Any, right: int) -> str:
    return f"it gets {right}, you said {got!r:.40}. "


def _reason(kind: str, got: Any, right: int) -> str:
    if not isinstance(got, int | float):
        return "Return a number."
    return f"{_why(kind, got < right)}."


late = Exercise(
    name="gets",
    task="Predict how many of n events a subscriber gets that comes late, goes away, and comes back.",
    stub=_stub,
    answer=_answer,
    judge=_judge,
    hints=(
        "For each of the four kinds: where does an event lie that is published while this subscriber is away?",
        "Three numbers are enough: n (all), n - came (all since it subscribed), and (left - came) + (n - back) "
        "(only while it was there). Give each kind one of them. Two kinds have the same.",
        'An "earliest group" gets n. An "exclusive queue" gets (left - came) + (n - back). '
        'A "durable queue" and a "latest group" get n - came.',
    ),
    wrong=(
        Wrong(_all, "a broker keeps everything for everybody", _KEEPS_NOTHING_OLD),
        Wrong(_only_while_there, "a subscriber must be there to get an event", _KEPT_MEANWHILE),
        Wrong(_obeys_at_every_start, "auto.offset.reset counts at every start", _GOES_ON),
        Wrong(_a_queue_is_a_queue, "every queue waits for its reader", _GOES_WITH_IT),
        Wrong(_a_log_is_a_queue, "a group gets what is published after its first day", _LOG_HAS_ALL),
    ),
)
