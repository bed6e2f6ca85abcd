"""Three or more series of times in one picture: the share that had arrived, against how long it took (an ECDF)."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from labkit.measure import latency
from labkit.measure.result import Measure, plain
from labkit.plots import style

Times = Sequence[float] | pd.Series

_HEIGHT_IN = 5.4
_LEFT, _BOTTOM, _WIDE, _HIGH = 0.72, 1.0, 5.3, 3.0
_READ = {"p50": (0.5, "half"), "p90": (0.9, "9 of 10"), "p99": (0.99, "99 of 100")}


def ecdf(
    series: Mapping[str, Times], stamp: str = "", what: str = "events", after: str = "after publishing"
) -> style.Picture:
    """One curve a series: at each time the share of `what` that had arrived. Read p50 where it crosses one half.

    series: design or broker (a key of `style.LOOKS`) -> times in ms, greater than 0. after: the name of the time axis.
    Raises ValueError when a series is empty, or there is none.
    """
    if not series:
        raise ValueError("no series: nothing to draw")
    found = {name: latency.percentiles(values) for name, values in series.items()}
    with style.paper():
        sheet = style.figure(_HEIGHT_IN, title(found, what), "Higher and further left is faster.", stamp)
        ax = style.place(sheet, _LEFT, _BOTTOM, _WIDE, _HIGH)
        _axes(ax, series, what, after)
        for name, values in series.items():
            _curve(ax, name, np.sort(np.asarray(values, dtype=float)), found[name])
        _names(ax, found)
    return style.Picture(sheet, _alt(found, what))


def title(found: Mapping[str, Mapping[str, Measure]], what: str = "events") -> str:
    """The finding in one sentence: the fastest and the slowest half."""
    halves = {name: measures["p50"].value for name, measures in found.items()}
    fast, slow = min(halves, key=halves.__getitem__), max(halves, key=halves.__getitem__)
    if halves[slow] <= 1.5 * halves[fast]:
        return style.two_lines(f"Half of the {what} arrive within {plain(halves[slow])} ms, whichever way they take.")
    return style.two_lines(
        f"Half of the {what} arrive within {plain(halves[fast])} ms ({style.LOOKS[fast].name}) "
        f"to {plain(halves[slow])} ms ({style.LOOKS[slow].name})."
    )


def _axes(ax: Axes, series: Mapping[str, Times], what: str, after: str) -> None:
    low = max(min(float(np.min(values)) for values in series.values()), 0.01) / 1.1
    high = max(float(np.max(values)) for values in series.values()) * 1.1
    ax.set_xscale("log")
    ax.set_xlim(low, high)
    ax.set_ylim(0, 1.02)
    decade = math.floor(math.log10(low))
    digits = (1, 2, 5) if high / low < 100 else (1,)
    ticks = [d * 10.0**p for p in range(decade, decade + 8) for d in digits if low <= d * 10.0**p <= high]
    ax.set_xticks(ticks, [style.time_words(tick) for tick in ticks])
    ax.set_xticks([], minor=True)
    ax.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 %"])
    ax.grid(color=style.PALE, linewidth=0.9)
    ax.set_axisbelow(True)
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0, pad=6)
    ax.tick_params(axis="x", length=4, pad=4)
    ax.set_xlabel(after, loc="left", labelpad=4)
    style.name_y(ax, f"share of the {what} that had arrived")


def _curve(ax: Axes, name: str, values: NDArray[np.float64], found: Mapping[str, Measure]) -> None:
    look = style.LOOKS[name]
    share = np.arange(1, len(values) + 1) / len(values)
    ax.step([values[0], *values], [0, *share], where="post", color=look.colour, linewidth=2.3, zorder=3)
    for measure, (height, _) in _READ.items():
        ax.plot(found[measure].value, height, look.marker, color=look.colour, markersize=8, zorder=4, clip_on=False,
                markeredgecolor=style.PAPER, markeredgewidth=1)  # fmt: skip


def _names(ax: Axes, found: Mapping[str, Mapping[str, Measure]]) -> None:
    """Name and percentiles of each series, the fastest on top, beside the curves."""
    ax.annotate("half · 9 of 10 · 99 of 100", (1.03, 0.99), xycoords="axes fraction", size=11, color=style.SOFT,
                va="top", annotation_clip=False)  # fmt: skip
    order = sorted(found, key=lambda name: found[name]["p50"].value)
    for i, name in enumerate(order):
        look, at = style.LOOKS[name], 0.80 - i * min(0.19, 0.8 / len(order))
        numbers = " · ".join(plain(found[name][measure].value) for measure in _READ)
        for text, drop, size, weight in (
            (f"{look.name} {look.sign}", 0, 13, "bold"),
            (f"{numbers} ms", -15, 12, "normal"),
        ):
            ax.annotate(text, (1.03, at), (0, drop), xycoords="axes fraction", textcoords="offset points", va="center",
                        size=size, weight=weight, color=look.words, annotation_clip=False)  # fmt: skip


def _alt(found: Mapping[str, Mapping[str, Measure]], what: str) -> str:
    """The picture in one sentence."""
    parts = [f"{style.LOOKS[name].name} half under {m['p50']}, 9 of 10 under {m['p90']}, 99 of 100 under {m['p99']}"
             for name, m in found.items()]  # fmt: skip
    return f"The share of {what} that had arrived, against time on a logarithmic axis: {'; '.join(parts)}."
