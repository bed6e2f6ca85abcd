"""Order, key by key: in which order the events of one order were handled, and which of them are out of place.

A service has handled an event when it did so for the *first* time without an error. A key is broken when an event was
handled before one that has a lower number. Events without a number have no place in an order.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from labkit.events.rows import HANDLED

SAID = {  # an event's type, in a sentence
    "OrderPlaced": "placed",
    "PaymentTaken": "paid",
    "OrderPacked": "packed",
    "OrderShipped": "shipped",
    "OrderDelivered": "delivered",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One event of a key as it was handled. at_s: seconds from the trace's first row. who: the consumer."""

    seq: int
    type: str
    who: str
    at_s: float
    channel: str
    event_id: str

    def said(self) -> str:
        """What happened, as a participle: `paid`."""
        return SAID.get(self.type, self.type or f"event {self.seq}")


@dataclass(frozen=True, slots=True)
class Inversion:
    """Two events of a key that were handled the wrong way round. gap_s: from the one to the other, above 0."""

    ahead: Step
    late: Step

    @property
    def gap_s(self) -> float:
        return self.late.at_s - self.ahead.at_s

    def sentence(self) -> str:
        """`paid 21 ms before placed`."""
        return f"{self.ahead.said()} {self.gap()} before {self.late.said()}"

    def gap(self) -> str:
        """The gap in words: `21 ms`."""
        ms = self.gap_s * 1000
        return f"{ms:.0f} ms" if ms >= 1 else f"{ms:.1f} ms" if ms >= 0.05 else "a moment"


@dataclass(frozen=True, slots=True)
class Lane:
    """All events of one key, in the order in which they were handled."""

    key: str
    steps: tuple[Step, ...]

    @property
    def out_of_order(self) -> bool:
        return any(a.seq > b.seq for a, b in zip(self.steps, self.steps[1:], strict=False))

    def worst(self) -> Inversion | None:
        """The pair that was handled the wrong way round with the widest gap; None when all is in order."""
        pairs = [
            Inversion(ahead, late)
            for i, ahead in enumerate(self.steps)
            for late in self.steps[i + 1 :]
            if ahead.seq > late.seq
        ]
        return max(pairs, key=lambda pair: pair.gap_s, default=None)

    def out_of_place(self) -> set[int]:
        """Positions (from 0) outside a longest rising run: move these, and the lane is in order."""
        return set(range(len(self.steps))) - set(_longest_rising([step.seq for step in self.steps]))


def lanes(rows: pd.DataFrame, service: str | None = None, broker: str | None = None) -> list[Lane]:
    """A lane for each key, in order of the key's first handled event.

    rows: from `Trace.to_frame()`. service, broker: only of these (a service is `who` before the `#`).
    """
    wanted = (rows["what"] == HANDLED) & (rows["seq"] > 0) & (rows["event_id"] != "")
    if service is not None:
        wanted &= rows["who"].str.partition("#")[0] == service
    if broker is not None:
        wanted &= rows["broker"] == broker
    found: dict[str, list[Step]] = {}
    seen: set[str] = set()
    for row in rows.loc[wanted].itertuples():
        told: Any = row
        if told.event_id in seen:
            continue
        seen.add(told.event_id)
        step = Step(told.seq, told.note, told.who, told.t_s, told.channel, told.event_id)
        found.setdefault(told.key, []).append(step)
    return [Lane(key, tuple(steps)) for key, steps in found.items()]


def _longest_rising(numbers: Sequence[int]) -> list[int]:
    """Positions of a longest run of rising numbers (patience sorting)."""
    tails: list[int] = []  # position of the smallest last number of a run of this length
    heads: list[int] = []
    before: list[int] = []
    for i, number in enumerate(numbers):
        length = bisect_left(heads, number)
        before.append(tails[length - 1] if length else -1)
        heads[length : length + 1] = [number]
        tails[length : length + 1] = [i]
    run, at = [], tails[-1] if tails else -1
    while at >= 0:
        run.append(at)
        at = before[at]
    return run[::-1]
