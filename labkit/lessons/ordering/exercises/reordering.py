"""Lesson 08, write: a reorder buffer. Events that come too early wait for those before them."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from labkit.teach.checks.answer import asked
from labkit.teach.exercises.exercise import Exercise, Wrong, for_real
from labkit.teach.exercises.verdict import Finding, Verdict

Handle = Callable[[str, int], None]
Came = tuple[str, int]  # order, number


def _stub(kept: dict[str, Any], order: str, seq: int, handle: Handle) -> Any:
    """Event `seq` of `order` has come. Call handle(order, seq), in turn; `kept` is yours, and empty at first."""
    return ...


def _answer(kept: dict[str, Any], order: str, seq: int, handle: Handle) -> None:
    place = kept.setdefault(order, {"due": 1, "early": set()})
    if seq >= place["due"]:
        place["early"].add(seq)
    while place["due"] in place["early"]:
        place["early"].remove(place["due"])
        handle(order, place["due"])
        place["due"] += 1


def _drops_early(kept: dict[str, Any], order: str, seq: int, handle: Handle) -> None:
    if seq == kept.get(order, 0) + 1:
        kept[order] = seq
        handle(order, seq)


def _one_counter(kept: dict[str, Any], order: str, seq: int, handle: Handle) -> None:
    due, early = kept.get("due", 1), kept.setdefault("early", {})
    early[seq] = order
    while due in early:
        handle(early.pop(due), due)
        due += 1
    kept["due"] = due


def _waits_for_five(kept: dict[str, Any], order: str, seq: int, handle: Handle) -> None:
    early = kept.setdefault(order, set())
    early.add(seq)
    if len(early) == 5:
        for number in sorted(early):
            handle(order, number)


def _handles_twice(kept: dict[str, Any], order: str, seq: int, handle: Handle) -> None:
    due, early = kept.setdefault(order, [1, set()])
    if seq > due:
        early.add(seq)
        return
    handle(order, seq)
    due = max(due, seq + 1)
    while due in early:
        early.remove(due)
        handle(order, due)
        due += 1
    kept[order][0] = due


def _forgets_the_rest(kept: dict[str, Any], order: str, seq: int, handle: Handle) -> None:
    due, early = kept.setdefault(order, [1, set()])
    early.add(seq)
    if due in early:
        handle(order, due)
        kept[order][0] = due + 1


def run_with(answer: Callable[..., Any], came: Iterable[Came]) -> list[Came]:
    """What the buffer handles when the events come like this. Raises AnswerError."""
    handled: list[Came] = []
    kept: dict[str, Any] = {}
    for order, seq in came:
        asked(answer, kept, order, seq, lambda name, number: handled.append((name, number)))
    return handled


def _of(order: str, *numbers: int) -> list[Came]:
    return [(order, number) for number in numbers]


def _judge(answer: Callable[..., Any]) -> Sequence[Finding]:
    return [
        _same(answer, "1 2 3, in order", _of("a", 1, 2, 3), _of("a", 1, 2, 3)),
        _same(answer, "2 before 1", _of("a", 2, 1, 3), _of("a", 1, 2, 3)),
        _same(answer, "5 4 3 2 1", _of("a", 5, 4, 3, 2, 1), _of("a", 1, 2, 3, 4, 5)),
        _same(answer, "3 never comes", _of("a", 1, 2, 4, 5), _of("a", 1, 2)),
        _same(answer, "2 comes twice", _of("a", 1, 2, 2, 3), _of("a", 1, 2, 3)),
        _same(answer, "two orders at once", [("a", 2), ("b", 1), ("a", 1), ("b", 2)],
              [("b", 1), ("a", 1), ("a", 2), ("b", 2)]),
    ]  # fmt: skip


def _same(answer: Callable[..., Any], case: str, came: list[Came], wanted: list[Came]) -> Finding:
    handled = run_with(answer, came)
    if handled == wanted:
        return Finding(True, f"{case}: handled {_said(handled)}.")
    return Finding(False, f"{case}: came {_said(came)}; must be handled {_said(wanted)}, was {_said(handled)}.")


def _said(events: list[Came]) -> str:
    names = {order for order, _ in events}
    return " ".join(f"{order if len(names) > 1 else ''}{seq}" for order, seq in events) or "nothing"


def on_a_run(answer: Any, result: Any) -> Verdict:
    """The same with the events of a real run, in the order in which they were handled there.

    result: of `ordering.run`. Raises ValueError when it has no trace.
    """
    return for_real(reorder, answer, "a real run", lambda: _judge_run(answer, came_in(result)))


def came_in(result: Any) -> list[Came]:
    """The events of a run as (order, number), in the order in which they were handled. Raises ValueError."""
    from labkit.events.rows import HANDLED

    if getattr(result, "trace", None) is None:
        raise ValueError("the result has no trace: take that of ordering.run(...)")
    return [(row.key, row.seq) for row in result.trace.rows() if row.what == HANDLED]


def _judge_run(answer: Callable[..., Any], came: list[Came]) -> Sequence[Finding]:
    handled = run_with(answer, came)
    before, after = len(overtaken(came)), len(overtaken(handled))
    missing = len(set(came)) - len(set(handled))
    return [
        Finding(not missing, f"{len(set(handled)):,} of {len(set(came)):,} events were handled."),
        Finding(not after, f"{before} orders came out of order; behind your buffer {after} are."),
    ]


def overtaken(came: Sequence[Came]) -> set[str]:
    """The orders of which an event comes after one that has a higher number.

    Built in: notebooks/08_ordering.ipynb
    """
    highest = dict.fromkeys([key for key, _ in came], 0)
    found = set()
    for key, seq in came:
        if seq < highest[key]:
            found.add(key)
        highest[key] = max(seq, highest[key])
    return found


reorder = Exercise(
    name="in_turn",
    task="Write a reorder buffer: handle the events of each order by number, from 1; what comes too early waits.",
    stub=_stub,
    answer=_answer,
    judge=_judge,
    hints=(
        "Event 3 is here and 2 is not. What do you have to remember, for each order, so that you can go on later?",
        "Two things for each order: the number that is due, and the set of those that came early. Put the event into "
        "the set first. Then look whether the one that is due is in it, and not only once.",
        'place = kept.setdefault(order, {"due": 1, "early": set()}); add seq unless it is below due; while due is in '
        "early: take it out, handle(order, due), due += 1.",
    ),
    wrong=(
        Wrong(_drops_early, "what comes too early can be dropped", "2 before 1: came"),
        Wrong(_one_counter, "one counter is enough for all orders", "two orders at once: came"),
        Wrong(_waits_for_five, "every order has five events, so wait for five", "3 never comes: came"),
        Wrong(_handles_twice, "an event comes once", "2 comes twice: came"),
        Wrong(_forgets_the_rest, "an event that comes releases one other", "5 4 3 2 1: came"),
    ),
)  # fmt: skip
