"""Lesson 09, predict: so many crashes at each point, and who is charged how often."""

from collections.abc import Callable, Sequence
from typing import Any

from labkit.lessons.idempotency.predicted import predict as prediction
from labkit.lessons.idempotency.steps import POINTS, STRATEGIES
from labkit.teach.exercises.exercise import Exercise, Wrong
from labkit.teach.exercises.verdict import Finding

_CASES = ((3, 5, 7), (0, 4, 0), (6, 0, 2))
_WHY = {
    "ack first": "who crashes between the ack and the charge never gets the event again",
    "work first": "both later points lie between the charge and the ack, so the event comes again",
    "inbox, remembered first": "it is remembered, and not charged: the second time it is skipped",
    "inbox, charged first": "only between the charge and the note is it charged and not remembered",
    "inbox, same transaction": "note and charge are both there or both not, wherever it crashes",
    "card company, inbox": "the crash takes the note back, and no transaction takes back the card company's charge",
}


def _stub(before_handle: int, after_handle: int, before_ack: int) -> Any:
    """So many crashes at each of the three points. Return strategy -> (never, twice)."""
    return {
        "ack first": (..., ...),
        "work first": (..., ...),
        "inbox, remembered first": (..., ...),
        "inbox, charged first": (..., ...),
        "inbox, same transaction": (..., ...),
        "card company, inbox": (..., ...),
    }


def _answer(before_handle: int, after_handle: int, before_ack: int) -> dict[str, tuple[int, int]]:
    return {
        "ack first": (before_handle, 0),
        "work first": (0, after_handle + before_ack),
        "inbox, remembered first": (before_handle, 0),
        "inbox, charged first": (0, after_handle),
        "inbox, same transaction": (0, 0),
        "card company, inbox": (0, after_handle),
    }


def _only_one_point(before_handle: int, after_handle: int, before_ack: int) -> dict[str, tuple[int, int]]:
    return _answer(before_handle, after_handle, before_ack) | {"work first": (0, after_handle)}


def _inbox_is_inbox(before_handle: int, after_handle: int, before_ack: int) -> dict[str, tuple[int, int]]:
    none = dict.fromkeys(("inbox, remembered first", "inbox, charged first"), (0, 0))
    return _answer(before_handle, after_handle, before_ack) | none


def _inbox_covers_all(before_handle: int, after_handle: int, before_ack: int) -> dict[str, tuple[int, int]]:
    return _answer(before_handle, after_handle, before_ack) | {"card company, inbox": (0, 0)}


def _ack_is_safe(before_handle: int, after_handle: int, before_ack: int) -> dict[str, tuple[int, int]]:
    return _answer(before_handle, after_handle, before_ack) | {"ack first": (0, 0)}


def _truth(case: tuple[int, int, int]) -> dict[str, tuple[int, int]]:
    """What the steps themselves lead to: nobody's formula."""
    points = [point for point, count in zip(POINTS, case, strict=True) for _ in range(count)]
    plan = {str(number): point for number, point in enumerate(points, 1)}
    keys = [str(number) for number in range(1, len(points) + 6)]
    found = {name: prediction(STRATEGIES[name], keys, plan) for name in _WHY}
    return {name: (len(one.lost), len(one.doubled)) for name, one in found.items()}


def _judge(answer: Callable[..., Any]) -> Sequence[Finding]:
    said = [answer(*case) for case in _CASES]
    wrong = next((one for one in said if not isinstance(one, dict)), None)
    if wrong is not None:
        return [Finding(False, f"Return the dictionary, strategy by strategy; this is {wrong!r:.60}.")]
    return [_strategy(name, [one.get(name, ...) for one in said]) for name in _WHY]


def _strategy(name: str, said: list[Any]) -> Finding:
    for case, mine in zip(_CASES, said, strict=True):
        right = _truth(case)[name]
        pair = tuple(mine) if isinstance(mine, tuple | list) else (mine,)
        if ... in pair:
            return Finding(False, f"{name}: still open.")
        if pair != right:
            crashed = ", ".join(f"{count} × {point}" for count, point in zip(case, POINTS, strict=True))
            return Finding(False, f"{name}, {crashed}: expected {right}, got {mine!r:.40}: {_WHY[name]}.")
    return Finding(True, f"{name}: {_WHY[name]}.")


predict = Exercise(
    name="counts",
    task="From the number of crashes at each point, say how many are never charged and how many twice, by strategy.",
    stub=_stub,
    answer=_answer,
    judge=_judge,
    hints=(
        "For each strategy, write its steps in a row. Which two steps does each crash fall between, and what has "
        "happened by then?",
        "before_handle is right before the charge, after_handle right after it, before_ack right before the ack. A "
        "crash hurts when the charge is done and the event comes again; or when it is not done and does not.",
        "Lost is before_handle, for ack first and remembered first. Doubled is after_handle + before_ack for work "
        "first, and after_handle for charged first and for the card company. All others are 0.",
    ),
    wrong=(
        Wrong(_only_one_point, "only the crash right after the charge doubles", "both later points"),
        Wrong(_inbox_is_inbox, "an inbox helps in whatever way it is written", "the second time it is skipped"),
        Wrong(_inbox_covers_all, "an inbox covers whatever the handler does", "no transaction takes back"),
        Wrong(_ack_is_safe, "what is acknowledged is done", "never gets the event again"),
    ),
)
