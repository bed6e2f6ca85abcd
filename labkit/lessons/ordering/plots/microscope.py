"""The order microscope: a lane an order, its events in the order in which they were handled."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.patches import Circle, FancyArrowPatch, Rectangle
from matplotlib.path import Path

from labkit.lessons.ordering import order_causes
from labkit.lessons.ordering.plots.crowd import Crowd
from labkit.measure import order
from labkit.measure.order import Lane
from labkit.measure.result import Result
from labkit.plots import style

SHOWN, _IN_ORDER = 9, 2  # lanes, and how many of them are in order when there are any
_HIGH_IN, _LANE_IN, _TOP_IN = 5.50, 0.435, 1.12
_LEFT_IN, _STEP_IN, _WORDS_IN = 1.50, 0.56, 4.10
_RADIUS, _RING, _ARC = 0.132, 0.152, 0.27  # an arc passes between its lane and the one above
_RIGHT_IN, _MAP_IN = 6.98, 1.84
_LARGE = 20  # cells in a row of the map, while they are large
_WHOLE = "#d9dbe0"


def draw(result: Result) -> style.Picture:
    """The microscope over a run: `result.trace` is looked at. Raises ValueError when it has no handled events."""
    if result.trace is None:
        raise ValueError("the result has no trace: there is nothing to look at")
    return lanes(result.trace.to_frame(), result.stamp())


def lanes(rows: pd.DataFrame, stamp: str = "") -> style.Picture:
    """The same from a table of rows (`Trace.to_frame()`)."""
    found = order.lanes(rows)
    if not found:
        raise ValueError("no event with a number was handled: there is nothing to draw")
    broken = [lane for lane in found if lane.out_of_order]
    shown = choose(found)
    why = _why(found, broken, rows)
    head = _title(found, broken)
    with style.paper():
        sheet = style.figure(_HIGH_IN, head, why, stamp)
        ax = style.place(sheet, 0, 0, style.WIDTH_IN, _HIGH_IN)
        ax.set_xlim(0, style.WIDTH_IN)
        ax.set_ylim(0, _HIGH_IN)
        ax.axis("off")
        crowd = Crowd.of(step.who for lane in found for step in lane.steps)
        _heads(ax, max(len(lane.steps) for lane in shown), f"{len(shown)} of {len(found)}", bool(broken))
        for i, lane in enumerate(shown):
            _lane(ax, lane, _HIGH_IN - _TOP_IN - 0.28 - i * _LANE_IN, crowd)
        _side(ax, found, broken, crowd)
    return style.Picture(sheet, _alt(head, why, shown))


def choose(found: Sequence[Lane], shown: int = SHOWN) -> list[Lane]:
    """The lanes to show: broken ones from the widest gap down, spread over all of them; at the end two in order."""

    def gap(lane: Lane) -> float:
        worst = lane.worst()
        return worst.gap_s if worst else 0.0

    broken = sorted((lane for lane in found if lane.out_of_order), key=gap, reverse=True)
    whole = [lane for lane in found if not lane.out_of_order]
    good = min(len(whole), max(_IN_ORDER, shown - len(broken)) if broken else shown)
    return _spread(broken, shown - good) + _spread(whole, good)


def _spread(found: Sequence[Lane], n: int) -> list[Lane]:
    n = min(n, len(found))
    return [found[i * len(found) // n] for i in range(n)]


def _title(found: Sequence[Lane], broken: Sequence[Lane]) -> str:
    if broken:
        return f"{len(broken)} of {len(found)} orders were handled out of order"
    return f"All {len(found)} orders were handled in order"


def _why(found: Sequence[Lane], broken: Sequence[Lane], rows: pd.DataFrame) -> str:
    if broken:
        cause = order_causes.count(broken, rows).most_common(1)[0][0]
        why = order_causes.WHY[cause]
        return f"{why[0].upper()}{why[1:]}."
    one_place = all(len({step.channel for step in lane.steps}) == 1 for lane in found)
    one_reader = all(len({step.who for step in lane.steps}) == 1 for lane in found)
    place = "partition" if "/" in found[0].steps[0].channel else "queue"
    if one_place and one_reader:
        return f"Every order was in one {place}, and one consumer handled all of it."
    return "No event was handled before one that has a lower number."


def _heads(ax: Axes, steps: int, count: str, broken: bool) -> None:
    y = _HIGH_IN - _TOP_IN + 0.06
    ax.text(_LEFT_IN - 0.34, y, "handled", ha="right", va="center", color=style.GREY, size=11)
    for i in range(steps):
        name = ("1st", "2nd", "3rd")[i] if i < 3 else f"{i + 1}th"
        ax.text(_LEFT_IN + i * _STEP_IN, y, name, ha="center", va="center", color=style.GREY, size=11)
    words = f"{count}, widest gap first" if broken else count
    ax.text(_WORDS_IN, y, words, va="center", color=style.GREY, size=11)


def _lane(ax: Axes, lane: Lane, y: float, crowd: Crowd) -> None:
    worst, moved = lane.worst(), lane.out_of_place()
    name: dict[str, Any] = {"color": style.BROKEN, "weight": "bold"} if worst else {"color": style.SOFT}
    ax.text(_LEFT_IN - 0.34, y, f"order {lane.key}", ha="right", va="center", size=11.5, **name)
    xs = [_LEFT_IN + i * _STEP_IN for i in range(len(lane.steps))]
    ax.plot([xs[0], xs[-1]], [y, y], color=style.PALE, linewidth=2, zorder=1)
    for i, step in enumerate(lane.steps):
        if i in moved:
            ax.add_patch(Circle((xs[i], y), _RING + 0.022, facecolor=style.BROKEN, edgecolor="none", zorder=2))
            _arrow(ax, xs, i, _home(lane, i), y)
        colour, ink = crowd.colours(step.who)
        ax.add_patch(Circle((xs[i], y), _RADIUS, facecolor=colour, edgecolor=style.PAPER, linewidth=0.8, zorder=3))
        ax.text(xs[i], y - 0.004, str(step.seq), color=ink, weight="bold", size=11, ha="center", va="center_baseline",
                zorder=4)  # fmt: skip
    words = worst.sentence() if worst else "in order"
    ax.text(_WORDS_IN, y, words, va="center", size=11, color=style.INK if worst else style.GREY)


def _home(lane: Lane, at: int) -> int:
    """The gap where the event at this position belongs: right behind the last of those in place that is lower."""
    moved, seq = lane.out_of_place(), lane.steps[at].seq
    lower = [i for i, step in enumerate(lane.steps) if i not in moved and step.seq < seq]
    return max(lower, default=-1) + 1


def _arrow(ax: Axes, xs: Sequence[float], at: int, home: int, y: float) -> None:
    """From an event out of place to the gap that it belongs into."""
    to = xs[0] - _STEP_IN / 2 if home == 0 else (xs[home - 1] + _STEP_IN / 2)
    start, end = (xs[at], y + _RING), (to, y + _RADIUS * 0.8)
    lean = min(0.3 * abs(to - xs[at]), 0.4) * (1 if to > xs[at] else -1)
    path = Path(
        [start, (start[0] + lean, y + _ARC), (end[0] - lean, y + _ARC), end],
        [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4],
    )
    arrow = FancyArrowPatch(path=path, arrowstyle="-|>", mutation_scale=10, color=style.BROKEN, linewidth=1.8, zorder=5)
    arrow.set_joinstyle("miter")
    ax.add_patch(arrow)


@dataclass(frozen=True)
class _Cell:
    """The map's cells: how many are in a row, and how wide one is in inches."""

    columns: int
    side: float


def _cells(n: int) -> _Cell:
    columns = _LARGE if n <= 240 else 40 if n <= 900 else 80
    return _Cell(columns, _MAP_IN / columns)


def _side(ax: Axes, found: Sequence[Lane], broken: Sequence[Lane], crowd: Crowd) -> None:
    """Right of the lanes: all orders as a map, the share, who is who."""
    cell, top = _cells(len(found)), _HIGH_IN - _TOP_IN - 0.12
    ax.text(_RIGHT_IN, top + 0.18, f"All {len(found)} orders", weight="bold", size=11.5, va="center")
    _map(ax, found, cell, top)
    y = top - -(-len(found) // cell.columns) * cell.side - 0.30
    share = 100 * len(broken) / len(found)
    told = f"{share:.0f} %" if share >= 1 or not share else f"{share:.1f} %"
    ax.text(_RIGHT_IN, y, told, size=24, weight="bold", va="center", color=style.BROKEN if broken else style.GOOD)
    ax.text(_RIGHT_IN, y - 0.34, "out of order" if broken else "out of order: none", size=12, va="center")
    y = crowd.legend(ax, _RIGHT_IN, y - 0.80)
    if broken:
        ax.add_patch(Circle((_RIGHT_IN + 0.09, y), 0.10, facecolor=style.BROKEN, edgecolor="none"))
        ax.add_patch(Circle((_RIGHT_IN + 0.09, y), 0.055, facecolor=style.PAPER, edgecolor="none"))
        ax.text(_RIGHT_IN + 0.28, y, "out of place", size=11, va="center")
        y -= 0.27
    _numbers(ax, found, y - 0.04)


def _map(ax: Axes, found: Sequence[Lane], cell: _Cell, top: float) -> None:
    """A cell for each order. Broken ones have a bar too, where they are large enough for it."""
    side = cell.side * 0.86
    places = [
        (_RIGHT_IN + i % cell.columns * cell.side, top - (i // cell.columns + 1) * cell.side) for i in range(len(found))
    ]
    colours = [style.BROKEN if lane.out_of_order else _WHOLE for lane in found]
    ax.add_collection(
        PatchCollection([Rectangle(at, side, side) for at in places], facecolors=colours, edgecolors="none")
    )
    if cell.columns == _LARGE:
        bars = [
            Rectangle((x + side * 0.22, y + side * 0.42), side * 0.56, side * 0.16)
            for (x, y), lane in zip(places, found, strict=True)
            if lane.out_of_order
        ]
        ax.add_collection(PatchCollection(bars, facecolors=style.PAPER, edgecolors="none", zorder=2))


def _numbers(ax: Axes, found: Sequence[Lane], y: float) -> None:
    """What the numbers mean: `1 placed   2 paid …`."""
    names = {step.seq: step.said() for lane in found for step in lane.steps}
    words = [f"{seq} {name}" for seq, name in sorted(names.items())][:6]
    for i in range(0, len(words), 3):
        ax.text(_RIGHT_IN, y - i // 3 * 0.22, "   ".join(words[i : i + 3]), size=10, va="center", color=style.SOFT)


def _alt(head: str, why: str, shown: Sequence[Lane]) -> str:
    told = [f"order {lane.key} {worst.sentence()}" for lane in shown if (worst := lane.worst())][:3]
    return f"{head}. {why}" + (f" For example: {'; '.join(told)}." if told else "")
