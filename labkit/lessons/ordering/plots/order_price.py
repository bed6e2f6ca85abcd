"""What order costs: a bar a way to send and to read, as long as it is fast; what broke order says so."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from labkit.measure.result import Result, plain
from labkit.plots import style

_ROW_IN, _TOP_IN, _BOTTOM_IN = 0.36, 0.95, 0.98
_LEFT_IN, _RIGHT_IN = 3.55, 2.0
_SIGNS: tuple[style.Words, style.Words] = (
    ("order held", {"color": style.GOOD, "weight": "bold"}),
    ("× orders out of order", {"color": style.BROKEN, "weight": "bold"}),
)


def draw(result: Result) -> style.Picture:
    """The bars of a run of `ordering.price`."""
    return bars(result.deliveries, result.stamp())


def bars(table: pd.DataFrame, stamp: str = "") -> style.Picture:
    """The same from a table: broker, way, events_per_s, out_of_order, orders. Raises ValueError when it is empty."""
    if not len(table):
        raise ValueError("the table has no rows: there is nothing to draw")
    head = title(table)
    names = list(dict.fromkeys(map(str, table["broker"])))
    high = _TOP_IN + _BOTTOM_IN + _ROW_IN * (len(table) + 0.8 * len(names)) + 0.3 * head.count("\n")
    with style.paper():
        sheet = style.figure(high, head, "", stamp)
        style.key(sheet, "events handled in a second", _SIGNS)
        tall = high - _TOP_IN - _BOTTOM_IN - 0.3 * head.count("\n")
        ax = style.place(sheet, _LEFT_IN, _BOTTOM_IN, style.WIDTH_IN - _LEFT_IN - _RIGHT_IN, tall)
        style.bare(ax)
        ax.set_ylim(len(table) + 0.8 * len(names) - 0.4, -0.4)
        ax.set_xlim(0, 1.02 * float(table["events_per_s"].max()))
        ax.set_xlabel("events per second")
        y = 0.0
        for name in names:
            look = style.LOOKS[name]
            ax.annotate(f"{look.sign} {look.name}", (0, y), (-(_LEFT_IN - 0.18) * 72, 0), textcoords="offset points",
                        va="center", weight="bold", size=13, color=look.words)  # fmt: skip
            y += 0.8
            for row in table[table["broker"] == name].itertuples(index=False):
                _bar(ax, y, row, look)
                y += 1
    return style.Picture(sheet, _alt(head, table))


def _bar(ax: Axes, y: float, row: Any, look: style.Look) -> None:
    ax.barh(y, row.events_per_s, height=0.62, color=look.colour)
    ax.annotate(row.way, (0, y), (-8, 0), textcoords="offset points", ha="right", va="center", size=11.5)
    parts: list[style.Words] = [(f"{row.events_per_s:,.0f}", {}), _mark(row)]
    for i, (words, how) in enumerate(parts):
        ax.annotate(words, (row.events_per_s, y), (6 + 46 * i, 0), textcoords="offset points", va="center", size=11.5,
                    annotation_clip=False, **how)  # fmt: skip


def _mark(row: Any) -> style.Words:
    if row.out_of_order:
        return f"× {row.out_of_order:.0f} of {row.orders:.0f}", {"color": style.BROKEN, "weight": "bold"}
    return "order held", {"color": style.GOOD, "weight": "bold"}


def title(table: pd.DataFrame) -> str:
    """How fast one can be and keep order, and how slow, against the fastest that breaks it."""
    kept, broke = table[table["out_of_order"] == 0], table[table["out_of_order"] > 0]
    if not len(kept):
        return "None of these ways kept order"
    fast, slow = float(kept["events_per_s"].max()), float(kept["events_per_s"].min())
    if not len(broke):
        return style.two_lines(f"All kept order; the fastest is {plain(fast / slow)} times as fast as the slowest")
    free = float(broke["events_per_s"].max())
    least, most = (round(100 * (1 - one / free)) for one in (fast, slow))
    cheap = "next to nothing" if least < 10 else f"{least} % of the speed"
    dear = f"{most} % of the speed" if least < 10 else f"{most} %"
    return style.two_lines(f"Order costs {cheap}, or {dear}: it depends on how you keep it")


def _alt(head: str, table: pd.DataFrame) -> str:
    told = [_told(row) for row in table.itertuples(index=False)]
    return f"{head.replace(chr(10), ' ')}. {'; '.join(told)}."


def _told(row: Any) -> str:
    how = f"{row.out_of_order:.0f} of {row.orders:.0f} orders out of order" if row.out_of_order else "order held"
    return f"{style.LOOKS[row.broker].name}, {row.way}: {row.events_per_s:,.0f} events/s, {how}"
