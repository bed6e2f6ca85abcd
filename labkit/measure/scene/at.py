"""Where every event of a scene is at one moment. `stage.js` says the same in the browser; a test compares the two.

A flight ends exactly when the row says that the event is there. It starts at most `flight` seconds earlier, and never
before the last row that says that it was elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from labkit.measure.scene.cells import LOG

PRODUCER, LANE, CONSUMER, GONE, DEAD = "producer", "lane", "consumer", "gone", "dead"


class Spot(NamedTuple):
    """Where an event is: between two places, `part` of the way (1: it is there). number: which consumer or producer.

    state: sent, waiting, read (in a log, by anybody), out (given out, not acknowledged), failed, gone, dead.
    """

    start: str
    place: str
    part: float
    number: int
    state: str


_WAITING = Spot(LANE, LANE, 1.0, -1, "waiting")


def spots(board: Mapping[str, Any], t: float, flight: float) -> list[tuple[int, Spot]]:
    """(number of the cell, where it is) at `t`, seconds. A cell of a log is there once more at each of its readers."""
    found: list[tuple[int, Spot]] = []
    for i, cell in enumerate(board["cells"]):
        if t < cell["pub"] and cell["p"] >= 0:
            continue
        kind = board["lanes"][cell["lane"]]["kind"]
        if t < cell["at"]:
            if cell["p"] >= 0:
                part = _part(t, cell["at"], cell["pub"], flight)
                found.append((i, Spot(PRODUCER, LANE, part, cell["p"], "sent")))
        elif kind == LOG:
            found += [(i, spot) for spot in _in_log(cell, t, flight)]
        else:
            found.append((i, _in_queue(cell, t, flight)))
    return found


def _part(t: float, end: float, start: float, flight: float) -> float:
    """How much of a flight that ends at `end` is done."""
    begin = max(start, end - flight)
    return 1.0 if t >= end else 0.0 if t <= begin else (t - begin) / (end - begin)


def _in_log(cell: Mapping[str, Any], t: float, flight: float) -> list[Spot]:
    """The cell stays; what travels to a reader is a copy, until that reader is through with it."""
    read = any(trip["r"] <= t for trip in cell["trips"])
    found = [Spot(LANE, LANE, 1.0, -1, "read" if read else "waiting")]
    for trip in cell["trips"]:
        if trip["x"] is not None and trip["x"] <= t:
            found.append(Spot(CONSUMER, DEAD, 1.0, trip["c"], "dead"))
            continue
        part = _part(t, trip["r"], cell["at"], flight)
        ends = [trip[letter] for letter in "dfa" if trip[letter] is not None]
        if part > 0 and (not ends or t < max(ends)):
            failed = trip["f"] is not None and trip["f"] <= t
            found.append(Spot(LANE, CONSUMER, part, trip["c"], "failed" if failed else "out"))
    return found


def _in_queue(cell: Mapping[str, Any], t: float, flight: float) -> Spot:
    """The event itself travels. Where it failed and is received again later, it was back in the queue in between."""
    free = cell["at"]  # from when on it can leave for the next consumer
    trips = cell["trips"]
    for i, trip in enumerate(trips):
        if t < trip["r"]:
            part = _part(t, trip["r"], free, flight)
            return Spot(LANE, CONSUMER, part, trip["c"], "out") if part else _WAITING
        later = trips[i + 1]["r"] if i + 1 < len(trips) else None
        spot, free = _at_consumer(trip, later, t, flight)
        if spot is not None:
            return spot
    return _WAITING


def _at_consumer(trip: Mapping[str, Any], later: float | None, t: float, flight: float) -> tuple[Spot | None, float]:
    """Where it is after this receipt. None: not with this consumer any more, free from the time beside it."""
    for letter, place, state in (("x", DEAD, "dead"), ("a", GONE, "gone")):
        if trip[letter] is not None:
            if trip[letter] <= t:
                return Spot(CONSUMER, place, 1.0, trip["c"], state), t
            later = None
    failed = trip["f"] is not None and trip["f"] <= t
    here = Spot(CONSUMER, CONSUMER, 1.0, trip["c"], "failed" if failed else "out")
    if later is None:
        return here, t
    if trip["f"] is None or trip["f"] > later:  # no row says when it came back, only that another one has it
        return (here, t) if t < later else (None, later)
    back = trip["f"] + min(flight, (later - trip["f"]) / 2)
    if t < trip["f"]:
        return here, t
    if t < back:
        return Spot(CONSUMER, LANE, (t - trip["f"]) / (back - trip["f"]), trip["c"], "failed"), t
    return None, back
