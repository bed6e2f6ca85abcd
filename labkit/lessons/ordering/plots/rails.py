"""Two rails of real time: an order's events from where they were published to where they were handled."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from labkit.events.rows import HANDLED, PUBLISHED
from labkit.lessons.ordering.plots.crowd import Crowd
from labkit.measure import order
from labkit.measure.order import Lane
from labkit.measure.result import Result
from labkit.plots import style

_HIGH_IN, _TOP, _BOTTOM = 4.6, 1.0, 0.0
_APART = 0.031  # circles are pushed apart to this part of the width, so that none hides another
_SUBTITLE = "A line is one event on its way. Lines of one order must not cross."


def draw(result: Result, key: str | None = None) -> style.Picture:
    """The rails of one order: by default the one with the widest gap, or else the first.

    Raises ValueError when the result has no trace, or nothing was handled, or there is no such key.
    """
    if result.trace is None:
        raise ValueError("the result has no trace: there is nothing to look at")
    return rails(result.trace.to_frame(), key, result.stamp())


def rails(rows: pd.DataFrame, key: str | None = None, stamp: str = "") -> style.Picture:
    """The same from a table of rows (`Trace.to_frame()`)."""
    lane = _choose(order.lanes(rows), key)
    ways = _ways(rows)
    mine = ways.loc[[step.event_id for step in lane.steps]].sort_values("seq")
    crowd = Crowd.of(ways["who"])
    head = _title(lane)
    with style.paper():
        sheet = style.figure(_HIGH_IN, head, _SUBTITLE, stamp)
        ax = style.place(sheet, 1.2, 0.95, style.WIDTH_IN - 1.45, 2.45)
        low, high = _limits(mine)
        _frame(ax, low, high)
        _others(ax, ways.drop(index=mine.index), mine["published"].min(), low, high)
        _own(ax, mine, lane, crowd, (low, high))
        _names(ax, crowd, {step.who for step in lane.steps})
    told = ", ".join(
        f"{step.seq} after {1000 * t:.0f} ms" for step, t in zip(lane.steps, _after(lane, mine), strict=True)
    )
    return style.Picture(sheet, f"{head}. Order {lane.key} in the order in which it was handled: {told}.")


def _choose(lanes: Sequence[Lane], key: str | None) -> Lane:
    if not lanes:
        raise ValueError("no event with a number was handled: there is nothing to draw")
    if key is not None:
        found = next((lane for lane in lanes if lane.key == key), None)
        if found is None:
            raise ValueError(
                f"no event of {key!r} was handled; there are {', '.join(lane.key for lane in lanes[:5])}, …"
            )
        return found
    broken = [lane for lane in lanes if lane.out_of_order]
    return max(broken, key=lambda lane: lane.worst().gap_s) if broken else lanes[0]  # type: ignore[union-attr]


def _ways(rows: pd.DataFrame) -> pd.DataFrame:
    """One line an event: published, handled (first times, s), who, seq; by event id."""
    published = rows[rows["what"] == PUBLISHED].drop_duplicates("event_id").set_index("event_id")["t_s"]
    handled = rows[rows["what"] == HANDLED].drop_duplicates("event_id").set_index("event_id")
    table = handled[["t_s", "who", "seq"]].rename(columns={"t_s": "handled"})
    return table.join(published.rename("published"), how="inner")


def _after(lane: Lane, mine: pd.DataFrame) -> list[float]:
    start = float(mine["published"].min())
    return [step.at_s - start for step in lane.steps]


def _title(lane: Lane) -> str:
    worst = lane.worst()
    if worst is None:
        return f"Order {lane.key} was handled in order"
    return f"Order {lane.key} was {worst.ahead.said()} {worst.gap()} before it was {worst.late.said()}"


def _limits(mine: pd.DataFrame) -> tuple[float, float]:
    """Ends of the time axis in ms from the order's first event, with some room."""
    wide = max(1000 * float(mine["handled"].max() - mine["published"].min()), 1.0)
    return -0.05 * wide, 1.05 * wide


def _frame(ax: Axes, low: float, high: float) -> None:
    ax.set_xlim(low, high)
    ax.set_ylim(-0.12, 1.12)
    style.bare(ax)
    ax.spines["bottom"].set_visible(False)
    ax.tick_params(axis="x", length=0, pad=2)
    ax.set_xlabel("milliseconds from the order's first event", color=style.SOFT)
    for y, word in ((_TOP, "published"), (_BOTTOM, "handled")):
        ax.plot([low, high], [y, y], color=style.GREY, linewidth=1.4, zorder=1)
        ax.annotate(
            word, (low, y), (-8, 0), textcoords="offset points", ha="right", va="center", weight="bold", size=12
        )


def _others(ax: Axes, ways: pd.DataFrame, start: float, low: float, high: float) -> None:
    """All other orders' events, thin and pale: the crowd in which it happened."""
    out, done = 1000 * (ways["published"] - start), 1000 * (ways["handled"] - start)
    seen = ((done > low) & (out < high)).to_numpy()
    lines = [[(x, _TOP), (y, _BOTTOM)] for x, y in zip(out[seen], done[seen], strict=True)]
    ax.add_collection(LineCollection(lines, colors=style.PALE, linewidths=0.9, zorder=0))


def _own(ax: Axes, mine: pd.DataFrame, lane: Lane, crowd: Crowd, ends: tuple[float, float]) -> None:
    start = float(mine["published"].min())
    moved = {lane.steps[i].event_id for i in lane.out_of_place()}
    gap = (ends[1] - ends[0]) * _APART
    within = (ends[0] + gap, ends[1] - gap)  # no circle on the rails' names
    out, done = (_apart(1000 * (mine[name] - start), gap, within) for name in ("published", "handled"))
    for x, y, (event_id, way) in zip(out, done, mine.iterrows(), strict=True):
        wrong = event_id in moved
        colour, ink = crowd.colours(way["who"])
        line: dict[str, Any] = (
            {"color": style.BROKEN, "linewidth": 3.4} if wrong else {"color": colour, "linewidth": 2.4}
        )
        ax.plot([x, y], [_TOP, _BOTTOM], zorder=3 + wrong, **line)
        for at, height, face, words in ((x, _TOP, style.SOFT, style.PAPER), (y, _BOTTOM, colour, ink)):
            edge: dict[str, Any] = {"markeredgecolor": style.BROKEN if wrong else style.PAPER}
            ax.plot([at], [height], "o", markersize=20, color=face, markeredgewidth=3 if wrong else 1, zorder=6,
                    clip_on=False, **edge)  # fmt: skip
            ax.annotate(str(way["seq"]), (at, height), color=words, weight="bold", size=11.5, ha="center",
                        va="center_baseline", zorder=7)  # fmt: skip


def _apart(at: pd.Series, gap: float, ends: tuple[float, float]) -> list[float]:
    """The places, pushed apart until no two are nearer than `gap`, in the order in which they are."""
    return style.spread([float(x) for x in at], gap, *ends)


def _names(ax: Axes, crowd: Crowd, whos: set[str]) -> None:
    parts = [
        (f"● {crowd.said(who)}", {"color": crowd.colours(who)[0], "weight": "bold"})
        for who in crowd.names
        if who in whos
    ]
    width = 0.0155 * sum(len(words) for words, _ in parts)
    style.words_in_a_row(ax, (1 - width, 1.07), parts, gap=12, size=11.5)
