"""How long checkout takes when inventory is slow: a line a design, against the delay that was put in."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from labkit.lessons.coupling.plots.coupling_lag import lag
from labkit.measure import latency
from labkit.measure.result import plain
from labkit.plots import style

__all__ = ["lag", "p99", "slowest", "title"]

_HEIGHT_IN = 5.6
_LEFT, _BOTTOM, _WIDE, _HIGH = 0.66, 1.0, 5.4, 3.14  # the axes, in inches
_LABEL_IN = 0.27  # from one label at the lines' ends to the next
_FAR = 1.5  # a bet up to so many times the slowest checkout is drawn whole


def slowest(deliveries: pd.DataFrame) -> pd.DataFrame:
    """The p99 of checkout in ms: a row per delay, a column per design. Of fewer than 100 it is the slowest one.

    `bet.score(slowest(result.deliveries)["http"])` scores a bet against a line of the picture.
    """
    p99s = deliveries.groupby(["delay_ms", "design"], sort=False)["latency_ms"].agg(
        lambda some: latency.percentiles(some)["p99"].value
    )
    return p99s.unstack()[_designs(deliveries)].sort_index()


def p99(
    deliveries: pd.DataFrame, bet: Mapping[float, float] | None = None, stamp: str = "", timeout_ms: float = 250
) -> style.Picture:
    """The slowest checkout (p99 from 100 orders a point) of each design against the delay of inventory.

    deliveries: a row a checkout: design, delay_ms, latency_ms, ok. bet: delay in ms -> ms, a dict or a bet of
    `bets.curve`. timeout_ms: of the designs with retries, a line in the picture.
    A × is a point at which at least half of the checkouts failed. Raises ValueError when there are no rows.
    """
    if deliveries.empty:
        raise ValueError("no checkouts: nothing to draw")
    lines, taken = slowest(deliveries), _taken(deliveries)
    n = int(deliveries.groupby(["delay_ms", "design"]).size().min())
    which = f"slowest of {n} checkouts" if n < 100 else "p99 of checkout"
    with style.paper():
        subtitle = "The same orders at the same time, while inventory takes longer for each of them."
        sheet = style.figure(_HEIGHT_IN, title(lines, taken), subtitle, stamp)
        ax = style.place(sheet, _LEFT, _BOTTOM, _WIDE, _HIGH)
        _axes(ax, lines, bet, which)
        _delay_itself(ax, lines)
        if {"retries", "defended"} & set(lines) and ax.get_xlim()[0] < timeout_ms < lines.index.max():
            _timeout(ax, timeout_ms)
        for design in lines:
            _line(ax, lines[design], taken[design])
        _failing(ax, lines, taken, deliveries)
        _ends(sheet, ax, lines, _bet(ax, bet) if bet else None)
    return style.Picture(sheet, _alt(lines, taken, which, bet))


def title(lines: pd.DataFrame, taken: pd.DataFrame) -> str:
    """The finding in one sentence, from the run: what the largest delay does to each kind of design."""
    worst = float(lines.index[-1])
    last, share = lines.iloc[-1], taken.iloc[-1]
    parts = []
    if "http" in lines:
        if share["http"] < 0.5:
            parts.append("A slow inventory makes an HTTP checkout fail")
        elif last["http"] >= 0.8 * worst and worst > 0:
            parts.append("A slow inventory makes an HTTP checkout slow")
        else:
            parts.append(f"An HTTP checkout takes {plain(last['http'])} ms")
    for design, words in (("retries", "retries"), ("defended", "a breaker")):
        if design in lines:
            fails = (taken[design] < 0.5).any()
            parts.append(f"{words} make it fail" if fails else f"with {words} it takes {plain(last[design])} ms")
    if events := [design for design in lines if design in style.EVENTS]:
        took = max(last[events])
        unseen = took < worst / 3 and share[events].min() == 1
        parts.append("with events it does not notice" if unseen else f"with events it takes up to {plain(took)} ms")
    text = "; ".join(parts)
    return style.two_lines(f"{text[0].upper()}{text[1:]}.".replace("a breaker make", "a breaker makes"))


def _designs(deliveries: pd.DataFrame) -> list[str]:
    present = set(deliveries["design"])
    return [design for design in style.LOOKS if design in present]


def _taken(deliveries: pd.DataFrame) -> pd.DataFrame:
    """The share of checkouts that were taken: a row per delay, a column per design."""
    share = deliveries.assign(ok=deliveries["ok"].astype(float)).groupby(["delay_ms", "design"])["ok"].mean()
    return share.unstack()[_designs(deliveries)].sort_index()


def _axes(ax: Axes, lines: pd.DataFrame, bet: Mapping[float, float] | None, which: str) -> None:
    top = float(lines.max().max())
    if bet:
        top = max(top, min(max(bet.values()), top * _FAR))
    delays = [float(delay) for delay in lines.index]
    ends = delays[0], max(delays[-1], delays[0] + 1)
    ax.set_xlim(ends[0] - 0.02 * (ends[1] - ends[0]), ends[1] + 0.02 * (ends[1] - ends[0]))
    ax.set_ylim(0, top * 1.09)
    ax.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    ax.grid(axis="y", color=style.PALE, linewidth=0.9)
    ax.tick_params(length=0, pad=6)
    ax.spines["left"].set_visible(False)
    ax.set_axisbelow(True)
    apart = (ends[1] - ends[0]) / 14  # nearer delays go without a number
    shown = [d for i, d in enumerate(delays) if i == 0 or d - delays[i - 1] >= apart]
    ax.set_xticks(shown, [f"{delay:g}" for delay in shown])
    ax.tick_params(axis="x", length=4, pad=4)
    ax.set_xlabel("delay of inventory, ms", loc="left", labelpad=5)
    style.name_y(ax, f"{which}, ms")


def _delay_itself(ax: Axes, lines: pd.DataFrame) -> None:
    """The delay against itself: what a checkout takes that waits for inventory and for nothing else."""
    low, high = float(lines.index[0]), float(lines.index[-1])
    if high <= low:
        return
    ax.plot([low, high], [low, high], color=style.GREY, linewidth=1.3, linestyle=(0, (1, 2.2)), zorder=2)
    (x0, x1), (y0, y1) = ax.get_xlim(), ax.get_ylim()
    angle = math.degrees(math.atan2(_HIGH / (y1 - y0), _WIDE / (x1 - x0)))
    at = low + 0.80 * (high - low)
    ax.annotate("the delay itself", (at, at), (0, -7), textcoords="offset points", rotation=angle, ha="center",
                va="top", rotation_mode="anchor", size=10.5, color=style.GREY, zorder=2)  # fmt: skip


def _timeout(ax: Axes, timeout_ms: float) -> None:
    ax.axvline(timeout_ms, color=style.GREY, linewidth=1.2, zorder=1)
    ax.annotate(f"timeout {timeout_ms:g} ms", (timeout_ms, 1), (-5, -1), xycoords=ax.get_xaxis_transform(), size=11,
                textcoords="offset points", ha="right", va="top", color=style.SOFT,
                path_effects=style.halo())  # fmt: skip


def _line(ax: Axes, values: pd.Series, taken: pd.Series) -> None:
    look = style.LOOKS[str(values.name)]
    ax.plot(values.index, values, color=look.colour, linewidth=2.5, zorder=3, solid_joinstyle="round")
    good, bad = values[taken >= 0.5], values[taken < 0.5]
    if len(good):
        ax.plot(good.index, good, look.marker, color=look.colour, markersize=7.5, markeredgecolor=style.PAPER,
                markeredgewidth=1.1, zorder=5, clip_on=False)  # fmt: skip
    for colour, width in ((style.PAPER, 6), (style.BROKEN, 3)) if len(bad) else ():
        ax.plot(bad.index, bad, "x", color=colour, markersize=10, markeredgewidth=width, zorder=6, clip_on=False)


def _failing(ax: Axes, lines: pd.DataFrame, taken: pd.DataFrame, deliveries: pd.DataFrame) -> None:
    """At the first × of the design that fails most: how many of how many, and after how long."""
    worst = str(taken.min().idxmin())
    bad = taken.index[taken[worst] < 0.5]
    if not len(bad):
        return
    first = float(bad[0])
    some = deliveries[(deliveries["design"] == worst) & (deliveries["delay_ms"] == first)]
    fails, at = int((~some["ok"]).sum()), float(lines[worst][first])
    after = float(some.loc[~some["ok"], "latency_ms"].median())
    words = "every checkout fails" if fails == len(some) else f"{fails} of {len(some)} checkouts fail"
    text = f"{words},\nafter {plain(after / 1000)} s" if after >= 100 else words
    low, high = ax.get_xlim()
    left = (first - low) / (high - low) < 0.72
    others = [float(lines[design][first]) for design in map(str, lines)]
    under = max([0.0, *(value for value in others if value < at)])  # the next line below: words must not cover it
    below = (at - under) / ax.get_ylim()[1] * _HIGH > 0.75
    ax.annotate(text, (first, at), (4 if left else -4, -13 if below else 13), textcoords="offset points", size=12,
                weight="bold", color=style.BROKEN, ha="left" if left else "right", va="top" if below else "bottom",
                path_effects=style.halo(4), zorder=7)  # fmt: skip


def _bet(ax: Axes, bet: Mapping[float, float]) -> tuple[float, float]:
    """The learner's curve, in dashes of ink. Where it ends inside the picture."""
    points = sorted((float(x), float(y)) for x, y in bet.items())
    xs, ys = zip(*points, strict=True)
    for colour, width in ((style.PAPER, 3.4), (style.INK, 1.8)):
        (drawn,) = ax.plot(xs, ys, color=colour, linewidth=width, zorder=4)
        drawn.set_dashes((5.5, 3.5) if colour == style.INK else (1, 0))
    return points[-1]


def _ends(sheet: Figure, ax: Axes, lines: pd.DataFrame, bet_end: tuple[float, float] | None) -> None:
    """A name and a number at the end of each line, pushed apart where the lines meet."""
    labels: list[tuple[float, str, dict[str, Any]]] = []
    for design in map(str, lines):
        look, last = style.LOOKS[design], lines[design].dropna().iloc[-1]
        labels.append((last, f"{_name(design)}  {plain(last)} ms", {"color": look.words, "weight": "bold"}))
    low, high = ax.get_xlim()
    top = ax.get_ylim()[1]
    if bet_end:
        at, value = bet_end
        italic: dict[str, Any] = {"style": "italic", "weight": "normal"}
        if at > low + 0.85 * (high - low):
            labels.append((min(value, top), "your bet ↑" if value > top else "your bet", italic))
        else:
            ax.annotate("your bet", (at, min(value, top)), (6, 5), textcoords="offset points", size=13, style="italic",
                        path_effects=style.halo(), zorder=7)  # fmt: skip
    heights = style.spread([value / top * _HIGH for value, _, _ in labels], _LABEL_IN, 0.05, _HIGH)
    for height, (_, text, how) in zip(heights, labels, strict=True):
        ax.annotate(text, (1, height / _HIGH), (8, 0), xycoords="axes fraction", textcoords="offset points",
                    size=12, va="center", annotation_clip=False, **how)  # fmt: skip


def _name(design: str) -> str:
    return f"event, {style.LOOKS[design].name}" if design in style.EVENTS else style.LOOKS[design].name


def _alt(lines: pd.DataFrame, taken: pd.DataFrame, which: str, bet: Mapping[float, float] | None) -> str:
    """The picture in one sentence."""
    first, last = lines.index[0], lines.index[-1]
    parts = []
    for design in map(str, lines):
        fails = [f"{delay:g}" for delay, share in taken[design].items() if share < 0.5]
        end = f", failing at {', '.join(fails)} ms" if fails else ""
        parts.append(f"{_name(design)} from {plain(lines[design].iloc[0])} to {plain(lines[design].iloc[-1])} ms{end}")
    said = f"; your bet ends at {plain(list(bet.values())[-1])} ms" if bet else ""
    return f"The {which} as inventory's delay grows from {first:g} to {last:g} ms: {'; '.join(parts)}{said}."
