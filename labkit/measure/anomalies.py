"""What went wrong, found in the rows of a trace: lost, duplicated, reordered, stale. Each is a row and a sentence.

A service is the part of `who` before the `#`. Everything is looked at per broker, so that the same orders can go
through two brokers in one run. An event is taken as *done* by a service when a `handled` row says so; a service that
writes neither `handled` nor `failed` rows at all has done what it has received.

lost        a service should have got the event and never did it. It should have got what went out on a channel from
            which it got other events, from the first event it got onwards (who comes late has lost nothing). What it
            received and never did is lost too. An event that it put with the dead letters is not lost.
duplicated  the same service did the same event more than once.
reordered   of one key, a service did an event for the first time after it had done one with a higher `seq`.
stale       a service used a state (`used` row) that was older than one of the same key already applied (`effect`
            row) anywhere; or it applied an older state over a newer one of its own.

Rows with `seq` 0 have no place in an order. Look after the run has drained: what is still on its way counts as lost.
"""

from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from labkit.events.frames import codes
from labkit.events.rows import EFFECT, FAILED, HANDLED, RECEIVED, USED, Row
from labkit.measure import anomaly_reasons as reasons
from labkit.measure.losses import find_lost

Array = npt.NDArray[Any]

COLUMNS = ("kind", "key", "event_ids", "who", "at_s", "sentence")
KINDS = ("lost", "duplicated", "reordered", "stale")


def find(rows: pd.DataFrame, consumers: Collection[str] | None = None, noun: str = "Order") -> pd.DataFrame:
    """The anomalies in `rows` (from `Trace.to_frame()`), in order of time. An empty table is good news.

    consumers: services that should have got *every* event. Needed for one that got none: the rows do not know it.
    noun: what a key is, for the sentences.
    Columns: kind, key, event_ids (a tuple), who (the service), at_s (seconds from the first row), sentence.
    Raises ValueError when a column of the trace is missing.
    """
    missing = [name for name in (*Row._fields, "t_s") if name not in rows.columns]
    if missing:
        raise ValueError(f"the rows have no column {', '.join(missing)}: take them from Trace.to_frame()")
    rows = rows.reset_index(drop=True)
    rows["role"] = rows["who"].str.partition("#")[0] if len(rows) else rows["who"]
    done = _done(rows)
    found = [
        *find_lost(rows, done, consumers, noun),
        *_duplicated(rows, done, noun),
        *_reordered(rows, done, noun),
        *_stale(rows, noun),
    ]
    table = pd.DataFrame(found, columns=list(COLUMNS))
    return table.sort_values("at_s", kind="stable", ignore_index=True)


def _done(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows that say that a service did an event, with their place in `rows` as index."""
    named = rows["event_id"] != ""
    handled = (rows["what"] == HANDLED) & named
    tells = handled | ((rows["what"] == FAILED) & named)  # who fails at everything has not done what it received
    handlers = set(rows.loc[tells, "role"].unique())
    received = (rows["what"] == RECEIVED) & named & ~rows["role"].isin(handlers)
    return rows[handled | received]


def _duplicated(rows: pd.DataFrame, done: pd.DataFrame, noun: str) -> list[tuple[Any, ...]]:
    code = codes(done, "event_id", "role", "broker")
    times = np.bincount(code)
    if not (times > 1).any():
        return []
    again = done[times[code] > 1]
    code = code[times[code] > 1]
    nth = again.groupby(code).cumcount().to_numpy()
    second = again[nth == 1]
    first = again[nth == 0].set_index(code[nth == 0]).loc[code[nth == 1]]
    why = reasons.of_doubles(rows, first, second)
    count = times[codes(done, "event_id", "role", "broker")][done.index.get_indexer(second.index)]
    return [
        (
            "duplicated",
            row.key,
            (row.event_id,),
            row.role,
            row.t_s,
            f"{noun} {row.key}: {reasons.event(row.seq, row.note, row.event_id)} was handled {how_often(n)} by "
            f"{row.role}, at {before:.3f} s and again at {row.t_s:.3f} s{because}.",
        )
        for row, n, before, because in zip(reasons.each(second), count, first["t_s"], why, strict=True)
    ]


def _reordered(rows: pd.DataFrame, done: pd.DataFrame, noun: str) -> list[tuple[Any, ...]]:
    numbered = done[(done["seq"] > 0).to_numpy()]
    first = numbered[~pd.Series(codes(numbered, "event_id", "role", "broker")).duplicated().to_numpy()]
    late, leader = _behind(first, first["seq"].to_numpy(), codes(first, "key", "role", "broker"), earliest=True)
    overtaken, ahead = first.iloc[late], first.iloc[leader]
    why = reasons.of_order(rows, overtaken, ahead)
    return [
        (
            "reordered",
            row.key,
            (row.event_id, other.event_id),
            row.role,
            row.t_s,
            f"{noun} {row.key}: {reasons.event(other.seq, other.note, other.event_id)} was handled before "
            f"{reasons.event(row.seq, row.note, row.event_id)} by {row.role}, "
            f"{reasons.two_times(other.t_s, row.t_s)}{because}.",
        )
        for row, other, because in zip(reasons.each(overtaken), reasons.each(ahead), why, strict=True)
    ]


def _stale(rows: pd.DataFrame, noun: str) -> list[tuple[Any, ...]]:
    state = rows[(rows["seq"] > 0).to_numpy() & rows["what"].isin([EFFECT, USED]).to_numpy()]
    applied = state[(state["what"] == EFFECT).to_numpy()]
    late, leader = _behind(applied, applied["seq"].to_numpy(), codes(applied, "key", "role", "broker"))
    found = [
        _stale_row(
            row,
            other,
            noun,
            f"applied state {row.seq} over state {other.seq}",
            f"because it did not compare it with what it had applied at {other.t_s:.3f} s",
        )
        for row, other in zip(reasons.each(applied.iloc[late]), reasons.each(applied.iloc[leader]), strict=True)
    ]
    # A `used` row raises no bar for others: with seq 0 it never leads, and it is compared by its own number.
    is_effect = (state["what"] == EFFECT).to_numpy()
    raises = np.where(is_effect, state["seq"].to_numpy(), 0)
    late, leader = _behind(state, raises, codes(state, "key", "broker"), state["seq"].to_numpy())
    used = ~is_effect[late]
    return found + [
        _stale_row(
            row,
            other,
            noun,
            f"used state {row.seq}",
            f"because it had not seen state {other.seq}, which {other.role} applied at {other.t_s:.3f} s",
        )
        for row, other in zip(reasons.each(state.iloc[late[used]]), reasons.each(state.iloc[leader[used]]), strict=True)
    ]


def _stale_row(row: Any, other: Any, noun: str, did: str, why: str) -> tuple[Any, ...]:
    ids = tuple(name for name in (row.event_id, other.event_id) if name)
    sentence = f"{noun} {row.key}: {row.role} {did} at {row.t_s:.3f} s, {why}."
    return ("stale", row.key, ids, row.role, row.t_s, sentence)


def _behind(
    rows: pd.DataFrame, seq: Array, group: Array, own: Any = None, earliest: bool = False
) -> tuple[Array, Array]:
    """Where a row's number (`own`, by default `seq`) is below the highest `seq` before it in its group.

    Returns positions in `rows`: of these rows, and of the row that had the highest number first. earliest: of the
    first row instead that had a higher number than this one, from which it is farthest.
    """
    if not len(rows):
        nothing = np.array([], dtype=np.int64)
        return nothing, nothing
    order = np.argsort(group, kind="stable")
    group, seq = group[order], seq[order]
    own = seq if own is None else own[order]
    highest = pd.Series(seq).groupby(group).cummax().to_numpy()
    starts = np.diff(group, prepend=-1) != 0
    before = np.where(starts, 0, np.roll(highest, 1))
    leads = starts | (seq > before)
    leader = np.maximum.accumulate(np.where(leads, np.arange(len(seq)), 0))
    late = np.flatnonzero(own < before)
    if earliest and len(late):  # in a group `highest` only rises, so its first that is above is the first row above
        wide = max(int(highest.max()), int(own.max())) + 1
        ahead = np.searchsorted(group * wide + highest, (group * wide + own)[late], side="right")
        return order[late], order[ahead]
    return order[late], order[leader[late]]


def how_often(n: int) -> str:
    """A number of times in words: twice, three times, 4 times."""
    return {2: "twice", 3: "three times"}.get(n, f"{n} times")
