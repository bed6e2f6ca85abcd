"""What a scene says in words about one key: the title, what a reader should know, and a line for every moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from labkit.measure.order import SAID
from labkit.measure.scene.build import Scene, label

Line = tuple[float, int, str]
_KEEPS, _FORGETS = "What is read stays in the log.", "What is acknowledged is gone from the queue."
_BOTH = "A log keeps what was read. A queue forgets what was acknowledged."
_ALIGNED = "Each broker's clock starts at its own first event."
_NOT_READ = "No row says where it went: not read."
_WRONG = {  # mark -> what has happened, the first being the most telling
    "late": "comes too late",
    "twice": "is handled twice",
    "refused": "is refused",
    "lost": "is never handled",
}


def of_key(scene: Scene, k: int) -> dict[str, Any]:
    """title, subtitle, note, and lines: (time, number of the board, words), in order of time."""
    note = _ALIGNED if scene["aligned"] else ""
    return {"title": title(scene, k), "subtitle": subtitle(scene), "note": note, "lines": lines(scene, k)}


def title(scene: Scene, k: int) -> str:
    """One sentence: the key, and what happened to it on each broker."""
    name = label(scene["keys"][k], scene["noun"])
    told = [(board["name"], phrase(scene, board, k)) for board in scene["boards"]]
    if len({words for _, words in told}) == 1:
        both = " on both brokers" if len(told) == 2 else ""
        return f"{name}: {told[0][1]}{both}"
    return f"{name}: " + "; ".join(f"{words} on {broker}" for broker, words in told)


def phrase(scene: Scene, board: Mapping[str, Any], k: int) -> str:
    """What happened to a key on one broker, in few words."""
    mine = [cell for cell in board["cells"] if cell["k"] == k]
    if not mine:
        return "no event"
    for mark, words in _WRONG.items():
        wrong = next((cell for cell in mine if mark in cell["marks"]), None)
        if wrong:
            return (mark == "late" and _overtaken(scene, board, mine)) or f"{_said(scene, wrong)} {words}"
    unread = [cell for cell in mine if not cell["trips"]]
    if unread:
        every = "its event was" if len(mine) == 1 else "all its events were"
        part = every if len(unread) == len(mine) else f"{len(unread)} of {len(mine)} events were"
        return f"{part} not read"
    return "handled in order" if len({cell["n"] for cell in mine}) > 1 else "handled"


def subtitle(scene: Scene) -> str:
    """The one thing to know about what is drawn."""
    logs = any(lane["kind"] == "log" for board in scene["boards"] for lane in board["lanes"])
    forgets = any(board["acked"] for board in scene["boards"])
    return _BOTH if logs and forgets else _KEEPS if logs else _FORGETS if forgets else ""


def event(scene: Scene, cell: Mapping[str, Any]) -> str:
    """`event 2 (paid)`."""
    kind = _type(scene, cell)
    number = f"event {cell['n']}" if cell["n"] else "its event"
    return f"{number} ({SAID.get(kind, kind)})" if kind else number


def lines(scene: Scene, k: int) -> list[Line]:
    """A line for every measured moment of the key, in order of time."""
    found: list[Line] = []
    for number, board in enumerate(scene["boards"]):
        for cell in board["cells"]:
            if cell["k"] == k:
                found += [(time, number, words) for time, words in _of_cell(scene, board, cell)]
    return sorted(found)


def now(scene: Scene, k: int, t: float) -> str:
    """What has happened last at `t`, in one sentence."""
    nothing = f"Nothing yet of {label(scene['keys'][k], scene['noun'], in_a_sentence=True)}."
    return last(lines(scene, k), t) or nothing


def last(lines: Sequence[Line], t: float) -> str:
    """The words of the last of these lines at `t`; empty: none of them was told yet."""
    return next((words for time, _, words in reversed(lines) if time <= t), "")


def _of_cell(scene: Scene, board: Mapping[str, Any], cell: Mapping[str, Any]) -> list[tuple[float, str]]:
    what, lane = event(scene, cell), board["lanes"][cell["lane"]]
    found = []
    if cell["p"] >= 0:
        found.append((cell["pub"], f"{board['producers'][cell['p']]} publishes {what}."))
    if "refused" in cell["marks"]:
        return [*found, (cell["at"], f"{board['name']} refuses {what}.")]
    if lane["kind"] == "exchange":
        return [*found, (cell["at"], f"{board['name']} has {what}. {_NOT_READ}")]
    place = f"{lane['name']}, offset {cell['slot']}" if lane["kind"] == "log" else f"the {lane['name']}"
    found.append((cell["at"], f"{_first(what)} is in {place}."))
    for i, trip in enumerate(cell["trips"]):
        found += _of_trip(board, cell, i, trip, what)
    return found


def _of_trip(
    board: Mapping[str, Any], cell: Mapping[str, Any], i: int, trip: Mapping[str, Any], what: str
) -> list[tuple[float, str]]:
    who = board["consumers"][trip["c"]]
    log = board["lanes"][cell["lane"]]["kind"] == "log"
    before = [board["consumers"][other["c"]]["role"] for other in cell["trips"][:i]]
    again = " again" if who["role"] in before else ""
    acked = f"{who['name']} commits: the group is past {what}; the log keeps it."
    if not log:
        acked = f"{who['name']} acknowledges {what}: the queue forgets it."
    done = f"{who['name']} has handled {what}" + _judged(cell, trip["d"])
    words = {
        "r": f"{who['name']} receives {what}{again}.",
        "d": done,
        "f": f"{who['name']} fails at {what}.",
        "a": acked,
        "x": f"{_first(what)} goes to the dead letters.",
    }
    return [(trip[letter], words[letter]) for letter in "rdfax" if trip[letter] is not None]


def _judged(cell: Mapping[str, Any], done: float | None) -> str:
    """The end of the sentence for a moment that an anomaly points at."""
    for mark, words in (("late", ": after a later one."), ("twice", ": a second time.")):
        if done is not None and abs(cell["marks"].get(mark, -1.0) - done) < 2e-6:
            return words
    return "."


def _first(words: str) -> str:
    return words[:1].upper() + words[1:]


def _said(scene: Scene, cell: Mapping[str, Any]) -> str:
    return SAID.get(_type(scene, cell)) or f"event {cell['n']}"


def _type(scene: Scene, cell: Mapping[str, Any]) -> str:
    """The event's type; empty: no row says."""
    return str(scene["types"][cell["e"]]) if cell["e"] >= 0 else ""


def _overtaken(scene: Scene, board: Mapping[str, Any], mine: Sequence[Mapping[str, Any]]) -> str:
    """`delivered overtakes packed`: of the widest gap, as `labkit.measure.order.Lane.worst` has it; "": of none."""
    found: list[tuple[float, str]] = []
    for service in {consumer["role"] for consumer in board["consumers"]}:
        done = _first_done(board, mine, service)
        found += [
            (late - ahead, f"{_said(scene, first)} overtakes {_said(scene, second)}")
            for ahead, first in done
            for late, second in done
            if first["n"] > second["n"] and ahead < late
        ]
    return max(found, default=(0.0, ""), key=lambda pair: pair[0])[1]


def _first_done(
    board: Mapping[str, Any], mine: Sequence[Mapping[str, Any]], service: str
) -> list[tuple[float, Mapping[str, Any]]]:
    """When a service handled each event first; where it never writes that down, when it received it."""
    trips = [(trip, cell) for cell in mine for trip in cell["trips"] if _role(board, trip) == service]
    letter = "d" if any(trip["d"] is not None for trip, _ in trips) else "r"
    times = sorted(((trip[letter], cell) for trip, cell in trips if trip[letter] is not None), key=lambda one: one[0])
    first: dict[int, tuple[float, Mapping[str, Any]]] = {}
    for time, cell in times:
        first.setdefault(cell["n"], (time, cell))
    return list(first.values())


def _role(board: Mapping[str, Any], trip: Mapping[str, Any]) -> str:
    return str(board["consumers"][trip["c"]]["role"])
