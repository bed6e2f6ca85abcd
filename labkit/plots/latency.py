"""Latency as dots: every event is one dot on a logarithmic time axis, so that the rare slow ones can be seen."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import SupportsFloat

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from labkit.measure import latency
from labkit.measure.result import Measure, plain
from labkit.plots import style
from labkit.plots.ecdf import ecdf

__all__ = ["alt", "dots", "ecdf", "title"]

Floats = NDArray[np.float64]

_WORDS = {"p50": "half are faster", "p90": "9 of 10 are faster", "p99": "99 of 100 are faster"}
_HEIGHTS = {"p50": 0.97, "p90": 0.70, "p99": 0.43}  # staggered, so that neighbours never share a line of text
_SUBTITLE = "A dot is an event: the time from when it should leave to when a consumer has it."
_HEAD_IN, _BET_IN, _FOOT_IN, _PANEL_IN = 1.05, 0.33, 0.80, 2.02
_INNER_PT = (_PANEL_IN - 0.16) * 72  # a panel's inside; y counts points, so that a pile is as high as its dots
_WORDS_WIDE, _WORDS_HIGH = 0.245, 0.27  # the room that the words at a percentile take, in parts of the panel
_LEFT, _RIGHT = 0.02, 0.985
_CARD = {"facecolor": style.PAPER, "edgecolor": "none", "pad": 1.2}  # under words: the bet's line passes behind it
_STACK = 0.74  # the part of a panel that the highest pile of dots may fill


@dataclass(frozen=True)
class _Columns:
    """Edges of the columns in log10 of ms, and the diameter of a dot in points."""

    edges: Floats
    size: float


def dots(deliveries: pd.DataFrame, bet: SupportsFloat | None = None, stamp: str = "") -> style.Picture:
    """One panel a broker, one dot an event.

    deliveries: rows with `broker`, `due_s`, `received_s`; panels stand in the order in which brokers first appear.
    bet: the learner's bet in ms, a number or a Bet. stamp: brokers, versions, n, rate.
    Raises ValueError when there are no rows.
    """
    bet_ms = float(bet) if bet is not None else None
    ms = latency.milliseconds(deliveries)
    data = {str(b): np.asarray(ms[deliveries["broker"] == b], dtype=float) for b in deliveries["broker"].unique()}
    if not data:
        raise ValueError("no deliveries: nothing to draw")
    found = {broker: latency.percentiles(values.tolist()) for broker, values in data.items()}
    with style.paper():
        head = _HEAD_IN + (_BET_IN if bet_ms else 0)
        sheet = style.figure(head + _PANEL_IN * len(data) + _FOOT_IN, title(found), _SUBTITLE, stamp)
        _draw(sheet, data, found, bet_ms)
    return style.Picture(sheet, alt(found, bet_ms))


def title(found: dict[str, dict[str, Measure]]) -> str:
    """The finding in one sentence, from the run: how long half of the events took, and how much longer the slowest."""
    halves = {broker: m["p50"].value for broker, m in found.items()}
    worst = max(m["max"].value / m["p50"].value for m in found.values())
    tail = f"the slowest takes {_times(worst)} as long." if worst >= 1.5 else "no event takes much longer."
    if max(halves.values()) <= 2 * min(halves.values()):
        on = {1: ""}.get(len(halves), " on both")
        return f"Half of the events arrive within {plain(max(halves.values()))} ms{on};\n{tail}"
    slow, fast = max(halves, key=halves.__getitem__), min(halves, key=halves.__getitem__)
    ratio = halves[slow] / halves[fast]
    return (
        f"Half of the events arrive within {plain(halves[fast])} ms on {_name(fast)},\n"
        f"{plain(halves[slow])} ms on {_name(slow)}: {_times(ratio)} as long."
    )


def alt(found: dict[str, dict[str, Measure]], bet_ms: float | None = None) -> str:
    """The picture in one sentence."""
    parts = [
        f"{_name(b)} half under {m['p50']}, 9 of 10 under {m['p90']}, 99 of 100 under {m['p99']}, slowest {m['max']}"
        for b, m in found.items()
    ]
    bet = f"; the bet was {bet_ms:g} ms" if bet_ms else ""
    return f"Latency of every event as dots on a logarithmic axis: {'; '.join(parts)}{bet}."


def _draw(sheet: Figure, data: dict[str, Floats], found: dict[str, dict[str, Measure]], bet_ms: float | None) -> None:
    height = float(sheet.get_size_inches()[1])
    low, high = _limits(data, found, bet_ms)
    columns = _columns(data, found, (low, high))
    axes: list[Axes] = []
    for i, (broker, values) in enumerate(data.items()):
        bottom = (_FOOT_IN + _PANEL_IN * (len(data) - 1 - i)) / height
        ax = sheet.add_axes((_LEFT, bottom, _RIGHT - _LEFT, (_PANEL_IN - 0.16) / height))
        axes.append(ax)
        _panel(ax, low, high, last=i == len(data) - 1)
        _pile(ax, values, columns, style.LOOKS[broker])
        _percentiles(ax, found[broker])
        look = style.LOOKS[broker]
        ax.text(1, 0.98, f"{look.name} {look.sign}", transform=ax.transAxes, color=look.words, size=17, weight="bold",
                ha="right", va="top", path_effects=style.halo())  # fmt: skip
    if bet_ms:
        _bet(axes, bet_ms, low, high)


def _limits(data: dict[str, Floats], found: dict[str, dict[str, Measure]], bet_ms: float | None) -> tuple[float, float]:
    """Both ends of the time axis. A bet far outside does not squeeze the dots: it becomes an arrow at the edge."""
    low = min(float(values.min()) for values in data.values())
    high = max(float(values.max()) for values in data.values())
    if bet_ms and low / 4 < bet_ms < high * 6:
        low, high = min(low, bet_ms), max(high, bet_ms)
    low, high = low / 1.12, high * 1.12
    edge = (high / low) ** 0.035  # room for half of the words at a tick
    # A tick just outside is let in: an axis that starts at 1 ms reads better than one that starts at 1.1.
    low = max((tick / edge for tick in _ticks(low / 2) if low / 1.35 < tick <= low * edge), default=low)
    slowest = max(measures["p99"].value for measures in found.values())
    high = max(high, low * (slowest / low) ** (1 / (0.985 - _WORDS_WIDE)))  # room for the words at p99
    return low, min((tick * edge**1.3 for tick in _ticks(low) if high / edge <= tick < high * 1.35), default=high)


def _columns(data: dict[str, Floats], found: dict[str, dict[str, Measure]], ends: tuple[float, float]) -> _Columns:
    """The columns that the dots pile up in: as wide as can be while no pile reaches into words."""
    low, high = (math.log10(end) for end in ends)
    width_pt = style.WIDTH_IN * (_RIGHT - _LEFT) * 72
    for size in np.arange(9.0, 1.2, -0.1):
        edges = np.linspace(low, high, max(2, int(width_pt / size) + 1))
        columns = _Columns(edges, float(size))
        if all(_clear(np.log10(values), found[broker], columns) for broker, values in data.items()):
            break
    return columns


def _clear(logs: Floats, found: dict[str, Measure], columns: _Columns) -> bool:
    """True when no pile is too high, and none stands in the words to the right of a percentile."""
    piles = np.histogram(logs, columns.edges)[0] * columns.size / _INNER_PT
    if piles.max() > _STACK:
        return False
    wide = _WORDS_WIDE * (columns.edges[-1] - columns.edges[0])
    for name, height in _HEIGHTS.items():
        at = math.log10(found[name].value)
        under = piles[(columns.edges[1:] > at) & (columns.edges[:-1] < at + wide)]
        if under.max(initial=0) > height - _WORDS_HIGH:
            return False
    return True


def _panel(ax: Axes, low: float, high: float, last: bool) -> None:
    ax.set_xscale("log")
    ax.set_xlim(low, high)
    ax.set_ylim(0, _INNER_PT)
    ax.spines["bottom"].set_color(style.GREY)
    style.bare(ax)
    ticks = [t for t in _ticks(low) if low <= t <= high]
    ax.set_xticks(ticks, [style.time_words(t) for t in ticks] if last else [""] * len(ticks))
    ax.set_xticks([], minor=True)
    ax.tick_params(axis="x", length=4, pad=5)
    for tick in ticks:
        ax.axvline(tick, color=style.PALE, linewidth=0.9, zorder=0)


def _pile(ax: Axes, values: Floats, columns: _Columns, look: style.Look) -> None:
    edges, size = columns.edges, columns.size
    column = np.clip(np.digitize(np.log10(values), edges) - 1, 0, len(edges) - 2)
    order = np.argsort(column, kind="stable")
    starts = np.searchsorted(column[order], column[order])
    level = np.arange(len(values)) - starts
    centres = 10 ** ((edges[:-1] + edges[1:]) / 2)
    ax.scatter(centres[column[order]], (level + 0.5) * size, s=(0.86 * size) ** 2, color=look.colour, linewidths=0,
               zorder=3, clip_on=False)  # fmt: skip


def _percentiles(ax: Axes, found: dict[str, Measure]) -> None:
    for name, words in _WORDS.items():
        value, height = found[name].value, _HEIGHTS[name]
        ax.plot([value, value], [0, height], transform=ax.get_xaxis_transform(), color=style.INK, linewidth=1.4,
                zorder=4, solid_capstyle="butt")  # fmt: skip
        for text, drop, size, weight, colour in (
            (str(found[name]), 0, 14, "bold", style.INK),
            (f"{words} ({name})", -17, 12, "normal", style.SOFT),
        ):
            ax.annotate(text, (value, height), (5, drop), xycoords=ax.get_xaxis_transform(), zorder=6, size=size,
                        textcoords="offset points", weight=weight, color=colour, ha="left", va="top",
                        path_effects=style.halo(), bbox=_CARD)  # fmt: skip


def _bet(axes: Sequence[Axes], bet_ms: float, low: float, high: float) -> None:
    """The bet: a dashed line of ink through all panels, or an arrow at the edge that it is beyond."""
    words = f"your bet: {bet_ms:g} ms"
    top = axes[0]
    if not low <= bet_ms <= high:
        right = bet_ms > high
        top.text(1 if right else 0, 1.075, f"{words} →" if right else f"← {words}", transform=top.transAxes, size=13,
                 style="italic", ha="right" if right else "left", va="bottom")  # fmt: skip
        return
    for ax in axes:
        ax.axvline(bet_ms, color=style.INK, linewidth=1.6, dashes=(5, 3.5), zorder=5)
    side = "right" if _part(top, bet_ms) > 0.8 else "left" if _part(top, bet_ms) < 0.2 else "center"
    top.annotate("▼", (bet_ms, 1), (0, 0), xycoords=top.get_xaxis_transform(), textcoords="offset points", size=10,
                 ha="center", va="bottom")  # fmt: skip
    shift = {"right": 5, "left": -5, "center": 0}[side]
    top.annotate(words, (bet_ms, 1), (shift, 11), xycoords=top.get_xaxis_transform(), textcoords="offset points",
                 size=13, style="italic", ha=side, va="bottom")  # fmt: skip


def _part(ax: Axes, value: float) -> float:
    """Where `value` stands on the time axis: 0 is the left end, 1 the right one."""
    low, high = ax.get_xlim()
    return math.log(value / low) / math.log(high / low)


def _ticks(low: float) -> list[float]:
    start = math.floor(math.log10(low))
    return [digit * 10.0**power for power in range(start, start + 9) for digit in (1, 2, 5)]


def _times(ratio: float) -> str:
    return f"{plain(ratio)} times"


def _name(broker: str) -> str:
    return style.LOOKS[broker].name
