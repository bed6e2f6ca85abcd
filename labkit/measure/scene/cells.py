"""The cells of a scene: an event at a place (an offset of a log, a queue), and its trips to consumers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from labkit.events.rows import ACKED, CONFIRMED, DEAD, FAILED, HANDLED, PUBLISHED, RECEIVED, Row

LOG, QUEUE, EXCHANGE = "log", "queue", "exchange"
_WORKER = re.compile(r"(#[^.]+)\..+$")
_LETTERS = {RECEIVED: "r", HANDLED: "d", FAILED: "f", ACKED: "a", DEAD: "x"}

Trip = dict[str, Any]


@dataclass
class Cell:
    """An event at one place. Times in seconds.

    pub: handed to the client. at: in its lane: the broker's confirmation, or the first receipt when that was earlier.
    trips: to consumers, each {who, r received, d handled, f failed, a acked or committed, x dead}; None: no row says.
    marks: late, twice, lost, refused -> when.
    """

    event_id: str
    key: str
    seq: int
    kind: str
    lane: str
    slot: int
    pub: float
    at: float
    type: str = ""
    producer: str = ""
    trips: list[Trip] = field(default_factory=list)
    marks: dict[str, float] = field(default_factory=dict)

    def plain(
        self,
        place: Mapping[str, int],
        producers: Sequence[str],
        consumers: Sequence[str],
        keys: Sequence[str],
        types: Sequence[str],
    ) -> dict[str, Any]:
        """As JSON takes it; names are numbers of the lists around it, -1: unknown."""
        trips = [{"c": consumers.index(trip["who"]), **{i: trip[i] for i in "rdfax"}} for trip in self.trips]
        return {
            "k": keys.index(self.key),
            "n": self.seq,
            "e": types.index(self.type) if self.type in types else -1,
            "p": producers.index(self.producer) if self.producer else -1,
            "lane": place[self.lane],
            "slot": self.slot,
            "pub": self.pub,
            "at": self.at,
            "trips": trips,
            "marks": self.marks,
        }


def cells_of(rows: Sequence[Row], zero: int) -> list[Cell]:
    """The cells in order of time. rows: of one broker, in order of time. zero: the clock's zero, in ns.

    What a worker does, its consumer does: `warehouse#1.3` works for `warehouse#1`, which receives and acknowledges.
    """
    rows = [row if "." not in row.who else row._replace(who=_WORKER.sub(r"\1", row.who)) for row in rows]
    sent = _Sent(rows)
    readers = {row.who for row in rows if row.what == RECEIVED}
    found: dict[tuple[str, str, int], Cell] = {}
    for row in rows:
        read = row.what in _LETTERS and (row.who in readers or row.what != FAILED)
        placed = row.what == CONFIRMED and row.position >= 0
        if not read and not placed:
            continue
        cell = found.get(_place(row)) or _begin(found, row, sent, zero)
        if read:
            _travel(cell, row, _seconds(row.t_ns, zero))
    placed_ids = {cell.event_id for cell in found.values()}
    cells = [*found.values(), *(sent.nowhere(name, zero) for name in sent.names() if name not in placed_ids)]
    cells.sort(key=lambda cell: (cell.at, cell.pub))
    _number(cells)
    return cells


class _Sent:
    """What the rows of the senders say: the first `published`, the first `confirmed`, a refusal."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.published: dict[str, Row] = {}
        self.confirmed: dict[str, Row] = {}
        self.refused: dict[str, Row] = {}
        for row in rows:
            if row.what == PUBLISHED:
                self.published.setdefault(row.event_id, row)
            elif row.what == CONFIRMED:
                self.confirmed.setdefault(row.event_id, row)
        senders = {row.who for row in self.published.values()}
        for row in rows:
            if row.what == FAILED and row.who in senders:
                self.refused.setdefault(row.event_id, row)

    def names(self) -> list[str]:
        return list(dict.fromkeys([*self.published, *self.confirmed]))

    def nowhere(self, name: str, zero: int) -> Cell:
        """The cell of an event of which no row says where it lies."""
        first = self.published.get(name) or self.confirmed[name]
        last = self.refused.get(name) or self.confirmed.get(name) or first
        pub, at = _seconds(first.t_ns, zero), _seconds(last.t_ns, zero)
        cell = Cell(name, first.key, first.seq, EXCHANGE, "", -1, pub, at, first.note, first.who)
        if name in self.refused:
            cell.marks["refused"] = at
        return cell


def _place(row: Row) -> tuple[str, str, int]:
    return row.event_id, row.channel, row.position


def _begin(found: dict[tuple[str, str, int], Cell], row: Row, sent: _Sent, zero: int) -> Cell:
    """A new cell, at the first row that knows its place."""
    confirmed, published = sent.confirmed.get(row.event_id), sent.published.get(row.event_id)
    at = min(row.t_ns, confirmed.t_ns) if confirmed else row.t_ns
    pub = min(published.t_ns, at) if published else at
    kind = LOG if row.position >= 0 else QUEUE
    names = (published.note, published.who) if published else (row.note if row.what == RECEIVED else "", "")
    cell = Cell(
        row.event_id, row.key, row.seq, kind, row.channel, row.position, _seconds(pub, zero), _seconds(at, zero), *names
    )
    found[_place(row)] = cell
    return cell


def _travel(cell: Cell, row: Row, at: float) -> None:
    """Put what a consumer's row says into the cell's trips. `received` begins a new one."""
    mine = next((trip for trip in reversed(cell.trips) if trip["who"] == row.who), None)
    if mine is None or row.what == RECEIVED:
        mine = {"who": row.who, "r": at, "d": None, "f": None, "a": None, "x": None}
        cell.trips.append(mine)
    letter = _LETTERS[row.what]
    if mine[letter] is None:
        mine[letter] = at


def _number(cells: Sequence[Cell]) -> None:
    """A queue has no offsets: its cells are numbered in the order in which they came."""
    count: dict[str, int] = {}
    for cell in cells:
        if cell.kind != LOG:
            cell.slot = count.get(cell.lane, 0)
            count[cell.lane] = cell.slot + 1


def _seconds(t_ns: int, zero: int) -> float:
    return round((t_ns - zero) / 1e9, 6)
