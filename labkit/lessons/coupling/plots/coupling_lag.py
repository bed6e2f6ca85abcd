"""Where the slowness went. Two moments of an order: the customer has the answer, and the stock is reserved."""

from typing import NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from labkit.measure.result import plain
from labkit.plots import style

_SHOWN = ("http", *style.EVENTS)  # with retries a slow order has no answer to speak of
_LEFT, _WIDE, _TRACK, _GAP = 1.05, 5.1, 0.19, 0.13  # inches: the axes, from one line to the next, between two delays
_HEAD, _FOOT = 1.42, 0.98


class Moments(NamedTuple):
    """Of half of the orders of a design at a delay, in ms from when the order was due."""

    delay_ms: float
    design: str
    answered: float
    reserved: float


def lag(deliveries: pd.DataFrame, stamp: str = "") -> style.Picture:
    """One line a design at each delay: its mark is the answer, its box the reservation. What lies between is the lag.

    The box is the larger one: where both come at the same time, the mark stands in it.

    deliveries: a row a checkout: design, delay_ms, due_s, latency_ms, ok, reserved_s. Orders that were not taken, and
    designs that retry, are left out. Raises ValueError when nothing was taken by an event.
    """
    found = moments(deliveries)
    delays = sorted({one.delay_ms for one in found})
    designs = [design for design in _SHOWN if any(one.design == design for one in found)]
    if not set(designs) & set(style.EVENTS):
        raise ValueError("no order was taken by an event: nothing to draw")
    tracks = len(designs) * _TRACK + _GAP
    with style.paper():
        high = tracks * len(delays)
        sheet = style.figure(_HEAD + high + _FOOT, title(found), "", stamp)
        signs: list[style.Words] = [
            (f"{_signs(designs)} the customer has the answer", {}),
            ("□ the stock is reserved", {}),
        ]
        style.key(sheet, "The median order:", signs)
        ax = style.place(sheet, _LEFT, _FOOT, _WIDE, high)
        _axes(ax, found, high)
        for one in found:
            at = high - delays.index(one.delay_ms) * tracks - _GAP - designs.index(one.design) * _TRACK
            _track(ax, one, at, named=one.delay_ms == delays[-1])
        for i, delay in enumerate(delays):
            middle = high - i * tracks - _GAP - (len(designs) - 1) * _TRACK / 2
            ax.annotate(f"{delay:g} ms", (0, middle), (-14, 0), xycoords=ax.get_yaxis_transform(), va="center",
                        textcoords="offset points", size=12, ha="right", annotation_clip=False)  # fmt: skip
    return style.Picture(sheet, _alt(found))


def _signs(designs: list[str]) -> str:
    return " ".join(style.LOOKS[design].sign for design in designs)


def moments(deliveries: pd.DataFrame) -> list[Moments]:
    """Answer and reservation of half of the orders, in ms from due, at each delay and for each design."""
    rows = deliveries[deliveries["design"].isin(_SHOWN) & deliveries["ok"]].dropna(subset=["reserved_s"])
    rows = rows.assign(reserved_ms=(rows["reserved_s"] - rows["due_s"]) * 1000)
    halves = rows.groupby(["delay_ms", "design"])[["latency_ms", "reserved_ms"]].median().reset_index()
    return [Moments(*line) for line in halves.itertuples(index=False)]


def title(found: list[Moments]) -> str:
    """The finding in one sentence: at the largest delay, how early the answer is and how late the stock."""
    worst = max(one.delay_ms for one in found)
    events = [one for one in found if one.delay_ms == worst and one.design in style.EVENTS]
    answer, stock = max(one.answered for one in events), max(one.reserved for one in events)
    if stock < 2 * answer:
        return f"With events half of the customers wait {plain(answer)} ms,\nand the stock {plain(stock)} ms."
    return (
        f"The slowness has moved: with events the answer comes\n"
        f"after {plain(answer)} ms, and the stock is reserved after {plain(stock)} ms."
    )


def _axes(ax: Axes, found: list[Moments], high: float) -> None:
    last = max(max(one.answered, one.reserved) for one in found)
    ax.set_xlim(-0.012 * last, last * 1.02)
    ax.set_ylim(0, high)
    ax.set_yticks([])
    ax.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    ax.grid(axis="x", color=style.PALE, linewidth=0.9)
    ax.set_axisbelow(True)
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="x", length=4, pad=4)
    ax.set_xlabel("ms since the order was due", loc="left", labelpad=4)
    ax.annotate("delay of inventory", (0, 1), (-(_LEFT - 0.18) * 72, 2), xycoords="axes fraction", size=12,
                textcoords="offset points", va="bottom")  # fmt: skip


def _track(ax: Axes, one: Moments, at: float, named: bool) -> None:
    look = style.LOOKS[one.design]
    ax.plot([one.answered, one.reserved], [at, at], color=look.colour, linewidth=2.2, alpha=0.55, zorder=3,
            solid_capstyle="butt")  # fmt: skip
    ax.plot(one.reserved, at, "s", markersize=10, markerfacecolor=style.PAPER, markeredgecolor=style.INK,
            markeredgewidth=1.3, zorder=4, clip_on=False)  # fmt: skip
    ax.plot(one.answered, at, look.marker, color=look.colour, markersize=6, markeredgecolor=style.PAPER,
            markeredgewidth=0.5, zorder=5, clip_on=False)  # fmt: skip
    if named:
        name = f"event, {look.name}" if one.design in style.EVENTS else look.name
        ax.annotate(name, (1, at), (12, 0), xycoords=ax.get_yaxis_transform(), textcoords="offset points", size=12,
                    weight="bold", color=look.words, va="center", annotation_clip=False)  # fmt: skip


def _alt(found: list[Moments]) -> str:
    """The picture in one sentence."""
    worst = max(one.delay_ms for one in found)
    parts = [
        f"{style.LOOKS[one.design].name} answer after {plain(one.answered)} ms, stock after {plain(one.reserved)} ms"
        for one in found
        if one.delay_ms == worst
    ]
    return f"Answer and reservation as inventory's delay grows; at {worst:g} ms: {'; '.join(parts)}."
