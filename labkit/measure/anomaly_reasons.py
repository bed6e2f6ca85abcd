"""Why an anomaly happened, as far as the rows tell: the end of its sentence. Empty when they do not tell."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from labkit.events.rows import ACKED, FAILED, HANDLED, PUBLISHED, RECEIVED, said
from labkit.measure.order import SAID

_LONG = 40

Story = dict[tuple[str, str, str, str], list[Any]]


def event(seq: int, kind: str, event_id: str) -> str:
    """An event in words: `event 3 (packed)`; without a number in its order, by its id."""
    name = f"event {seq}" if seq > 0 else f"event {event_id}"
    return f"{name} ({SAID.get(kind, kind)})" if kind and len(kind) <= _LONG else name


def two_times(first_s: float, second_s: float) -> str:
    """`at 1.200 s and 1.203 s`; in ms, with as many decimals as they need, where seconds would say the same twice."""
    for unit, factor, decimals in (("s", 1, 3), ("ms", 1000, 1), ("ms", 1000, 3)):
        one, two = (f"{factor * at_s:.{decimals}f} {unit}" for at_s in (first_s, second_s))
        if one != two:
            break
    return f"at {one} and {two}"


def each(table: pd.DataFrame) -> Iterator[Any]:
    """The rows of a table as tuples with names."""
    yield from table.itertuples()


def of_doubles(rows: pd.DataFrame, first: pd.DataFrame, second: pd.DataFrame) -> list[str]:
    """For each event that was handled twice, given both rows: `, because …`."""
    story = _story(rows, second["event_id"])
    acks = set(rows.loc[rows["what"] == ACKED, "role"].unique())
    return [_of_double(story, acks, a, b) for a, b in zip(each(first), each(second), strict=True)]


def _of_double(story: Story, acks: set[str], first: Any, second: Any) -> str:
    e, b, role = second.event_id, second.broker, second.role
    if len(story.get((e, b, "", PUBLISHED), ())) > 1:
        return ", because it was published more than once"
    deliveries = story.get((e, b, role, RECEIVED), [])
    if len(deliveries) > 1 and not b:
        return ", because its caller tried again"  # a call: no broker gave it out
    if len(deliveries) > 1:
        again = deliveries[1]
        acked = any(row.t_ns < again.t_ns for row in story.get((e, b, role, ACKED), ()))
        unacked = role in acks and not acked
        return ", because it was delivered again" + (" before it was acknowledged" if unacked else "")
    return ", although it was delivered only once" if deliveries and second.what == HANDLED else ""


def of_order(rows: pd.DataFrame, late: pd.DataFrame, ahead: pd.DataFrame) -> list[str]:
    """For each event that was handled too late, given its row and that of the event before it: `, because …`."""
    story = _story(rows, pd.concat([late["event_id"], ahead["event_id"]]))
    return [_of_order(story, a, b) for a, b in zip(each(late), each(ahead), strict=True)]


def _of_order(story: Story, late: Any, ahead: Any) -> str:
    lag = event(late.seq, "", late.event_id)
    if late.channel != ahead.channel and late.channel and ahead.channel:
        return ", because " + _channels(ahead.channel, late.channel)
    failures = [row for row in story.get((late.event_id, late.broker, late.role, FAILED), ()) if row.t_ns < late.t_ns]
    if failures:
        return f", because {lag} failed at {failures[0].t_s:.3f} s and was tried again"
    if min(late.position, ahead.position) >= 0 and late.position > ahead.position:
        return f", because it lies behind it in {late.channel} ({ahead.position} and {late.position})"
    if late.who != ahead.who and "." in late.who and late.who.partition(".")[0] == ahead.who.partition(".")[0]:
        return ", because two workers of a consumer worked side by side"
    if late.who != ahead.who:
        return f", because two copies worked side by side ({said(ahead.who)} and {said(late.who)})"
    return _by_times(story, late, ahead, lag)


def _by_times(story: Story, late: Any, ahead: Any, lag: str) -> str:
    received = [_first(story, row, row.role, RECEIVED) for row in (late, ahead)]
    published = [_first(story, row, "", PUBLISHED) for row in (late, ahead)]
    if None not in received and received[0].t_ns <= received[1].t_ns:
        return f", because one consumer worked on both at the same time: it had {lag} first"
    if None not in published and published[0].t_ns > published[1].t_ns:
        return f", because {lag} was published later, at {published[0].t_s:.3f} s"
    if None not in received:
        return f", because {lag} came later, at {received[0].t_s:.3f} s"
    return ""


def _channels(ahead: str, late: str) -> str:
    (topic, _, one), (other_topic, _, two) = ahead.rpartition("/"), late.rpartition("/")
    if topic and topic == other_topic:
        return f"they came over different partitions ({one} and {two})"
    return f"they came over different channels ({ahead} and {late})"


def _first(story: Story, row: Any, role: str, what: str) -> Any:
    return next(iter(story.get((row.event_id, row.broker, role, what), ())), None)


def _story(rows: pd.DataFrame, event_ids: Iterable[str]) -> Story:
    """The rows of these events, by (event id, broker, role, what). Under the role "" stand those of all roles."""
    wanted = rows["event_id"].isin(pd.unique(pd.Series(list(event_ids), dtype="str"))).to_numpy(dtype=bool)
    wanted = wanted & rows["what"].isin([PUBLISHED, RECEIVED, FAILED, ACKED]).to_numpy(dtype=bool)
    story: Story = {}
    for row in each(rows.iloc[np.flatnonzero(wanted)]):
        role = "" if row.what == PUBLISHED else row.role
        story.setdefault((row.event_id, row.broker, role, row.what), []).append(row)
    return story
