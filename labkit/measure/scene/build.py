"""The scene of a replay: rows of a trace as producers, lanes, consumers, and the journey of every event.

Only what a row says is in it, at the time that the row says: nothing is simulated. Whoever draws a scene may move an
event between two measured moments, and must have it at its place when the measured moment comes.

A scene is made of plain dicts and lists, so that it can go to a browser as JSON. Times are seconds since the first
event.

scene   end_s, noun, keys, types, broken (numbers of keys with an anomaly), start (the key to begin with), boards,
        aligned: the brokers ran one after the other, and each one's clock starts with its own first event.
board   one broker. broker, name, producers, consumers ({name, role}), lanes, cells, reads (pairs lane, consumer),
        commits ({lane, role, steps: [time, offset]}): how far a group is, which moves with the `acked` rows only,
        acked: rows say what left a queue; else nobody knows what is still out.
lane    {name, kind, first, size}. log: a partition or a stream, cells keep their offset. queue: cells leave it.
        exchange: published, and no row says in which queue it lies. dead: the dead letters.
cell    an event at its place: `cells.Cell`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from labkit.events.frames import frame
from labkit.events.rows import ACKED, CONFIRMED, DEAD, FAILED, HANDLED, PUBLISHED, RECEIVED, Row, role, said
from labkit.measure import anomalies
from labkit.measure.scene.cells import EXCHANGE, LOG, QUEUE, Cell, cells_of

Scene = dict[str, Any]

_WORDS = (PUBLISHED, CONFIRMED, RECEIVED, HANDLED, FAILED, ACKED, DEAD)
_NAMES = {"kafka": "Kafka", "rabbitmq": "RabbitMQ", "stream": "RabbitMQ stream"}
_FRESH = re.compile(r"-[0-9a-z]+-[0-9a-f]{6}(?=/|\.|$)")  # the tail of `labkit.base.names.fresh`
_MARKS = {"lost": "lost", "duplicated": "twice", "reordered": "late"}


def build(rows: Iterable[Row], broker: str | None = None, noun: str = "Order") -> Scene:
    """The scene of these rows (`Trace.rows()`). broker: only this one. noun: what a key is.

    Raises ValueError when no row tells of an event on a broker.
    """
    told = [row for row in rows if row.event_id and row.broker and row.what in _WORDS]
    told = [row for row in told if broker in (None, row.broker)]
    if not told:
        where = f" on {broker}" if broker else ""
        raise ValueError(f"no row of the trace tells of an event{where}: there is nothing to replay")
    told.sort(key=lambda row: row.t_ns)
    parts = {name: [row for row in told if row.broker == name] for name in _in_place(row.broker for row in told)}
    keys = natural(row.key for row in told)
    types = sorted({row.note for row in told if row.what in (PUBLISHED, RECEIVED)})
    aligned = _one_after_the_other(list(parts.values()))
    boards: list[dict[str, Any]] = []
    found: list[tuple[float, str]] = []
    for name, mine in parts.items():
        zero = mine[0].t_ns if aligned else told[0].t_ns
        table: Any = anomalies.find(frame(mine), noun=noun)
        table["at_s"] += (mine[0].t_ns - zero) / 1e9
        boards.append(_board(name, mine, zero, keys, types, table))
        found += [(float(row.at_s), str(row.key)) for row in table.itertuples()]
    broken = [keys.index(key) for _, key in sorted(found)]
    return {
        "end_s": max(time for board in boards for cell in board["cells"] for time in moments(cell)),
        "noun": noun,
        "keys": keys,
        "types": types,
        "out_of_order": sorted(set(broken)),
        "start": broken[0] if broken else 0,
        "aligned": aligned,
        "boards": boards,
    }


def moments(cell: Mapping[str, Any]) -> list[float]:
    """The measured moments of a cell in order of time."""
    trips = [time for trip in cell["trips"] for time in (trip[name] for name in "rdfax") if time is not None]
    return sorted({cell["pub"], cell["at"], *trips})


def label(key: str, noun: str = "Order", in_a_sentence: bool = False) -> str:
    """A key in words: `order-3` and `3` are `Order 3`; within a sentence `order 3`, but `OrderPlaced 3` stays."""
    rest = re.sub(rf"^{re.escape(noun)}[-_ ]?", "", key, flags=re.IGNORECASE)
    plain = in_a_sentence and noun[1:].islower()
    return f"{noun.lower() if plain else noun} {rest}".strip()


def named(who: str, all_of_them: Iterable[str]) -> str:
    """Who it is, in words: `packing#2` is `packing 2`, and `packing` where there is no other."""
    alone = sum(role(other) == role(who) for other in all_of_them) == 1
    return role(who) if alone else said(who)


def natural(names: Iterable[str]) -> list[str]:
    """Without doubles, and order-2 before order-10."""

    def parts(name: str) -> list[tuple[int, int, str]]:
        return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.findall(r"\d+|\D+", name)]

    return sorted(set(names), key=parts)


def _in_place(brokers: Iterable[str]) -> list[str]:
    """Kafka above RabbitMQ, whoever was first."""
    found = dict.fromkeys(brokers)
    return [*(name for name in _NAMES if name in found), *(name for name in found if name not in _NAMES)]


def _one_after_the_other(parts: Sequence[Sequence[Row]]) -> bool:
    spans = sorted((part[0].t_ns, part[-1].t_ns) for part in parts)
    return any(end < begin for (_, end), (begin, _) in pairwise(spans))


def _board(name: str, rows: list[Row], zero: int, keys: list[str], types: list[str], table: Any) -> dict[str, Any]:
    cells = cells_of(rows, zero)
    _mark(cells, table)
    lanes = _lanes(cells)
    place = {lane: i for i, (_, lane) in enumerate(lanes)}
    producers = natural(cell.producer for cell in cells if cell.producer)
    consumers = natural(trip["who"] for cell in cells for trip in cell.trips)
    plain = [cell.plain(place, producers, consumers, keys, types) for cell in cells]
    return {
        "broker": name,
        "name": _NAMES.get(name, name),
        "producers": [named(who, producers) for who in producers],
        "consumers": [{"name": named(who, consumers), "role": role(who)} for who in consumers],
        "lanes": [_lane(kind, lane, [cell for cell in cells if cell.lane == lane], lanes) for kind, lane in lanes],
        "cells": plain,
        "reads": sorted({(cell["lane"], trip["c"]) for cell in plain for trip in cell["trips"]}),
        "commits": _commits(cells, place),
        "acked": any(trip["a"] is not None for cell in cells if cell.kind == QUEUE for trip in cell.trips),
    }


def _mark(cells: Sequence[Cell], table: Any) -> None:
    """What went wrong, on the cells that it happened to: kind -> when."""
    by_event: dict[str, list[Cell]] = {}
    for cell in cells:
        by_event.setdefault(cell.event_id, []).append(cell)
    for row in table.itertuples():
        if row.kind not in _MARKS:
            continue
        mine = by_event.get(row.event_ids[0], [])
        its = [cell for cell in mine if any(role(trip["who"]) == row.who for trip in cell.trips)]
        for cell in its or mine:
            at = max(cell.at, row.at_s) if row.kind == "lost" else row.at_s
            cell.marks.setdefault(_MARKS[row.kind], round(at, 6))


def _lanes(cells: Sequence[Cell]) -> list[tuple[str, str]]:
    """(kind, name): logs, then queues, then what lies nowhere, then the dead letters."""
    kinds = {cell.lane: cell.kind for cell in cells}
    placed: tuple[str, ...] = (LOG, QUEUE, EXCHANGE)
    found = [(kind, lane) for kind in placed for lane in natural(kinds) if kinds[lane] == kind]
    if any(trip["x"] is not None for cell in cells for trip in cell.trips):
        found.append(("dead", "dead letters"))
    return found


def _lane(kind: str, name: str, cells: Sequence[Cell], lanes: Sequence[tuple[str, str]]) -> dict[str, Any]:
    slots = [cell.slot for cell in cells]
    first, last = min(slots, default=0), max(slots, default=-1)
    return {"name": _lane_name(kind, name, lanes), "kind": kind, "first": first, "size": last - first + 1}


def _lane_name(kind: str, name: str, lanes: Sequence[tuple[str, str]]) -> str:
    if kind == "exchange":
        return "in no queue that was read"
    if kind == "dead":
        return name
    short = _FRESH.sub("", name)
    topics = {other.rpartition("/")[0] for sort, other in lanes if sort == LOG}
    topic, _, number = short.rpartition("/")
    if kind == LOG and topic:
        return f"partition {number}" if len(topics) == 1 else f"{topic}, partition {number}"
    return f"queue {short}" if kind == "queue" else f"stream {short}"


def _commits(cells: Sequence[Cell], place: Mapping[str, int]) -> list[dict[str, Any]]:
    found: dict[tuple[int, str], list[tuple[float, int]]] = {}
    for cell in cells:
        for trip in cell.trips:
            if cell.kind == LOG and trip["a"] is not None:
                found.setdefault((place[cell.lane], role(trip["who"])), []).append((trip["a"], cell.slot + 1))
    return [{"lane": lane, "role": group, "steps": sorted(steps)} for (lane, group), steps in sorted(found.items())]
