"""The lost events of a trace. What counts as lost stands in `anomalies.py`."""

from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from labkit.events.frames import codes
from labkit.events.rows import CONFIRMED, DEAD, FAILED, HANDLED, PUBLISHED, RECEIVED
from labkit.measure import anomaly_reasons as reasons

Ints = npt.NDArray[np.int64]


def find_lost(
    rows: pd.DataFrame, done: pd.DataFrame, consumers: Collection[str] | None, noun: str
) -> list[tuple[Any, ...]]:
    """One tuple per lost event and service, in the columns of `anomalies.find`."""
    event = codes(rows, "event_id", "broker")
    role, names = pd.factorize(rows["role"])
    roles = list(names) + [name for name in consumers or () if name not in set(names)]
    pair = event * len(roles) + role
    named = (rows["event_id"] != "").to_numpy(dtype=bool)
    out = _first_out(rows, event, named)
    got = rows["what"].isin([RECEIVED, HANDLED, DEAD]).to_numpy(dtype=bool) & named
    if consumers is None:
        expected = _learned(rows, event, role, out, got, len(roles))
    else:
        expected = _all(event[out], [roles.index(name) for name in consumers], len(roles))
    expected = np.unique(np.concatenate([expected, pair[got]]))
    finished = np.concatenate([pair[done.index.to_numpy()], pair[(rows["what"] == DEAD).to_numpy(dtype=bool)]])
    lost = expected[~np.isin(expected, finished)]
    return _told(rows, event, pair, lost, roles, out, noun) if len(lost) else []


def _first_out(rows: pd.DataFrame, event: Ints, named: npt.NDArray[np.bool_]) -> Ints:
    """The first row of each event that says that it left: published, else confirmed."""
    what = rows["what"].to_numpy()
    published = np.flatnonzero((what == PUBLISHED) & named)
    confirmed = np.flatnonzero((what == CONFIRMED) & named)
    both = np.concatenate([published, confirmed])
    _, first = np.unique(event[both], return_index=True)
    return np.asarray(both[first], dtype=np.int64)


def _learned(rows: pd.DataFrame, event: Ints, role: Ints, out: Ints, got: npt.NDArray[np.bool_], roles: int) -> Ints:
    """Who should have got what, learned from what they got: (event, role) as pairs."""
    if not len(out) or not got.any():
        return np.array([], dtype=np.int64)
    channel = codes(rows, "channel", "broker")
    out_of = np.full(event.max() + 1, -1, dtype=np.int64)
    out_of[event[out]] = out
    index = np.flatnonzero(got)
    index = index[out_of[event[index]] >= 0]
    left = out_of[event[index]]
    seen = pd.DataFrame({"channel": channel[left], "role": role[index], "from": left})
    reads = seen.groupby(["channel", "role"])["from"].min().reset_index()
    events = pd.DataFrame({"channel": channel[out], "event": event[out], "left": out})
    should = events.merge(reads, on="channel")
    should = should[should["left"] >= should["from"]]
    return (should["event"] * roles + should["role"]).to_numpy(dtype=np.int64)


def _all(events: Ints, wanted: list[int], roles: int) -> Ints:
    return (events[:, None] * roles + np.array(wanted, dtype=np.int64)[None, :]).ravel()


def _told(
    rows: pd.DataFrame, event: Ints, pair: Ints, lost: Ints, roles: list[str], out: Ints, noun: str
) -> list[tuple[Any, ...]]:
    left = dict(zip(event[out].tolist(), out.tolist(), strict=True))
    touched = np.flatnonzero(np.isin(event, lost // len(roles)))
    story = reasons.each(rows.iloc[touched])
    seen: dict[tuple[int, str], Any] = {}  # (pair, or event as -1 - event; word) -> the last such row
    first: dict[int, Any] = {}
    of_sender: set[int] = set(out.tolist())
    places = zip(touched.tolist(), event[touched].tolist(), pair[touched].tolist(), story, strict=True)
    for place, e, p, row in places:
        seen[(p, row.what)] = row
        seen[(-1 - e, row.what)] = row
        if place in of_sender or e not in left:
            first.setdefault(e, row)
    found = []
    for p in lost.tolist():
        e, service = p // len(roles), roles[p % len(roles)]
        row = first[e]
        name = reasons.event(row.seq, row.note if row.what in (PUBLISHED, RECEIVED) else "", row.event_id)
        when = f"published at {row.t_s:.3f} s" if e in left else f"received at {row.t_s:.3f} s"
        why = _why(service, seen.get((p, FAILED)), seen.get((p, RECEIVED)), seen, -1 - e)
        sentence = f"{noun} {row.key}: {name}, {when}, was never handled by {service}, because {why}."
        found.append(("lost", row.key, (row.event_id,), service, row.t_s, sentence))
    return found


def _why(service: str, failed: Any, received: Any, seen: dict[tuple[int, str], Any], event: int) -> str:
    if failed is not None and received is not None:
        return f"its last try failed at {failed.t_s:.3f} s" + (f" ({failed.note})" if failed.note else "")
    if received is not None:
        return f"the handler that received it at {received.t_s:.3f} s did not come to its end"
    confirmed, refused = seen.get((event, CONFIRMED)), seen.get((event, FAILED))
    if confirmed is not None:
        return f"it never came there, although the broker confirmed it at {confirmed.t_s:.3f} s"
    if refused is not None:
        return f"the broker did not take it at {refused.t_s:.3f} s" + (f" ({refused.note})" if refused.note else "")
    return "it never came there, and no broker has confirmed it"
