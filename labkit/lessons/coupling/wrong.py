"""Lesson 01: what was handled twice, or not at all. A sentence each, which names the design that did it."""

from collections import Counter
from typing import Any

import pandas as pd

from labkit.events.rows import HANDLED, RECEIVED
from labkit.events.trace import Trace
from labkit.lessons.coupling.table import NAMES
from labkit.measure import anomalies, anomaly_reasons


def doubles_and_losses(trace: Trace, deliveries: pd.DataFrame) -> pd.DataFrame:
    """What was handled twice, on any way; and what got lost on its way through a broker.

    deliveries: a row a checkout, with design and order. Columns: those of `anomalies.find`.
    A call that died with the service is not lost: the customer was told that it went wrong.
    """
    rows = trace.to_frame()
    called = set(rows.loc[(rows["what"] == RECEIVED) & (rows["broker"] == ""), "key"])
    found = anomalies.find(rows)
    found = found[~((found["kind"] == "lost") & found["key"].isin(called))].reset_index(drop=True)
    handled = rows[rows["what"] == HANDLED]
    times = Counter(zip(handled["event_id"], handled["who"].str.partition("#")[0], strict=True))
    designs = dict(zip(deliveries["order"], deliveries["design"], strict=True))
    found["sentence"] = [_told(one, designs, times[one.event_ids[0], one.who]) for one in anomaly_reasons.each(found)]
    return found


def _told(one: Any, designs: dict[str, str], times: int) -> str:
    """Without the seconds: they count from the trace's first row, and the picture's axis from the first order."""
    design = f"{NAMES[designs[one.key]]}: " if one.key in designs else ""
    if one.kind != "duplicated":
        return f"{design}{one.sentence}"
    _, because, why = one.sentence.partition(", because ")
    return f"{design}{one.who} handled order {one.key} {anomalies.how_often(times)}{because}{why or '.'}"
