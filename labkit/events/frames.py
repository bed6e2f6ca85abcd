"""The trace as tables. Vectorised: a million rows take seconds.

pandas is loaded when a function is called, not with the file: a service that only writes rows stays light.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from labkit.events.rows import ACKED, CONFIRMED, DEAD, DUE, FAILED, HANDLED, PUBLISHED, RECEIVED, Row

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    Ints = npt.NDArray[np.int64]
    Floats = npt.NDArray[np.float64]

_NUMBERS = ("t_ns", "seq", "position")
_AT_SENDER = {"due_s": DUE, "published_s": PUBLISHED, "confirmed_s": CONFIRMED}
_AT_CONSUMER = {"received_s": RECEIVED, "handled_s": HANDLED, "failed_s": FAILED, "dead_s": DEAD, "acked_s": ACKED}
_DELIVERY = ("event_id", "key", "seq", "broker", "channel", "position", "who")


def frame(rows: Sequence[tuple[Any, ...]]) -> pd.DataFrame:
    """Rows as a table in order of time: the columns of `Row`, and `t_s`, seconds from the first row."""
    import numpy as np
    import pandas as pd

    columns: dict[str, Any] = {}
    for i, name in enumerate(Row._fields):
        values = [row[i] for row in rows]  # column by column: zip(*rows) makes an iterator for every row
        columns[name] = np.array(values, dtype=np.int64) if name in _NUMBERS else pd.array(values, dtype="str")
    table = pd.DataFrame(columns)
    times = table["t_ns"].to_numpy()
    if (times[1:] < times[:-1]).any():  # threads, and several files, do not add in order of time
        table = table.sort_values("t_ns", kind="stable", ignore_index=True)
        times = table["t_ns"].to_numpy()
    table["t_s"] = (times - times[0]) / 1e9 if len(times) else np.array([], dtype=float)
    return table


def deliveries(rows: pd.DataFrame) -> pd.DataFrame:
    """One line per delivery: one event, once, to one consumer. Redelivered, it is another line with attempt 2.

    rows: from `frame`. Rows without an event id are no deliveries. A consumer's rows belong together when event_id,
    broker, channel and who are the same; each `received` begins a new attempt.
    Columns: event_id, key, seq, broker, channel, position, who, attempt, and in seconds from the trace's first row
    due_s, published_s, confirmed_s (the first ones of this event on this broker), received_s, handled_s, failed_s,
    dead_s, acked_s (of this delivery). NaN: did not happen, or nobody wrote it down. In order of the first time.
    """
    import numpy as np

    event = codes(rows, "event_id", "broker")
    named = (rows["event_id"] != "").to_numpy(dtype=bool)
    what = rows["what"].to_numpy()
    t_s = rows["t_s"].to_numpy()
    at_consumer = _is_one_of(rows["what"], _AT_CONSUMER.values()) & named
    # A sender writes `failed` too, for what the broker refused: only who has received can fail to handle.
    reader = codes(rows, "event_id", "broker", "who")
    at_consumer &= (what != FAILED) | np.isin(reader, reader[(what == RECEIVED) | (what == HANDLED)])
    index = np.flatnonzero(at_consumer)
    group = codes(rows.iloc[index], "event_id", "broker", "channel", "who")
    order = np.argsort(group, kind="stable")
    index, group = index[order], group[order]
    line, attempt = _attempts(group, what[index])
    first = np.flatnonzero(np.diff(line, prepend=-1))
    table = rows.iloc[index[first]][list(_DELIVERY)].reset_index(drop=True)
    table["attempt"] = attempt[first]
    for name, word in _AT_SENDER.items():
        found = np.flatnonzero((what == word) & named)
        table[name] = _first_times(event[found], t_s[found], len(rows))[event[index[first]]]
    for name, word in _AT_CONSUMER.items():
        found = np.flatnonzero(what[index] == word)
        table[name] = _first_times(line[found], t_s[index[found]], len(first))
    return table.iloc[np.argsort(index[first], kind="stable")].reset_index(drop=True)


def codes(rows: pd.DataFrame, *columns: str) -> Ints:
    """A number per row, the same for rows that are equal in these columns; counted from 0, without gaps."""
    import numpy as np
    import pandas as pd

    combined = np.zeros(len(rows), dtype=np.int64)
    for name in columns:
        code, values = pd.factorize(rows[name])
        combined = combined * max(len(values), 1) + code
        if len(columns) > 1:
            combined = pd.factorize(combined)[0]  # small again, so that the next product does not overflow
    return combined.astype(np.int64)


def _is_one_of(column: pd.Series[Any], words: Iterable[str]) -> npt.NDArray[np.bool_]:
    return column.isin(list(words)).to_numpy(dtype=bool)


def _attempts(group: Ints, what: npt.NDArray[Any]) -> tuple[Ints, Ints]:
    """(number of the line, attempt) of each row; rows are sorted by group, and by time inside."""
    import numpy as np

    starts = np.flatnonzero(np.diff(group, prepend=-1))
    size = np.diff(np.append(starts, len(group)))
    received, handled = what == RECEIVED, what == HANDLED
    has_received = np.repeat(np.add.reduceat(received, starts) > 0, size) if len(starts) else received
    begins = np.where(has_received, received, handled).astype(np.int64)
    count = np.cumsum(begins)
    before = np.repeat(count[starts] - begins[starts], size)
    attempt = np.maximum(count - before, 1)
    new_line = (np.diff(group, prepend=-1) != 0) | (np.diff(attempt, prepend=0) != 0)
    return np.cumsum(new_line) - 1, attempt


def _first_times(slot: Ints, t_s: Floats, slots: int) -> Floats:
    """The first time of each slot, NaN where there is none; times rise."""
    import numpy as np

    times = np.full(slots, np.nan)
    times[slot[::-1]] = t_s[::-1]  # written backwards, so that the first one stays
    return times
