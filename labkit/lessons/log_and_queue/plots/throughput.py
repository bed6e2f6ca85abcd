"""How many events a second, and how many megabytes, over the size of an event: two small panels, both axes by powers
of ten, a band from the slowest to the fastest round."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import SupportsFloat

import pandas as pd
from matplotlib.axes import Axes

from labkit.measure.result import Result, plain
from labkit.plots import style

_HEIGHT_IN = 5.2
_BOTTOM, _WIDE, _HIGH = 1.02, 2.45, 2.78  # of a panel, in inches
_LEFTS = (0.86, 4.12)
_LOOKS = {
    "kafka": style.KAFKA,
    "quorum": replace(style.RABBITMQ, name="RabbitMQ queue"),
    "classic": replace(style.RABBITMQ, name="classic queue", marker="s", sign="■"),
    "stream": style.STREAM,
}
_CLIENTS = {"kafka": "client in C"}
_PYTHON = "client in Python"
_DASHED = (0, (5, 3.5))


def sizes(result: Result, bet: SupportsFloat | None = None, what: str = "publish") -> style.Picture:
    """A line for each kind: the median of its rounds, in a band from the slowest to the fastest of them.

    result: of `throughput.run`. what: "publish" (and confirmed) or "consume" (and acknowledged). bet: so
    many times as many of the smallest events Kafka takes as RabbitMQ's queue.
    Raises ValueError when there are no rows, or for another word.
    """
    deliveries = result.deliveries
    if what not in ("publish", "consume"):
        raise ValueError(f"what is {what!r}; it must be 'publish' or 'consume'")
    if deliveries.empty:
        raise ValueError("no rounds: nothing to draw")
    done = "published and confirmed" if what == "publish" else "consumed and acknowledged"
    subtitle = f"One producer, one consumer. Line: median, band: slowest to fastest round; {done}."
    with style.paper():
        sheet = style.figure(_HEIGHT_IN, title(deliveries, what), subtitle, result.stamp())
        panels = ((f"{what}_per_s", "events per second"), (f"{what}_mb_s", "megabytes per second"))
        for left, (column, words) in zip(_LEFTS, panels, strict=True):
            ax, spans = style.place(sheet, left, _BOTTOM, _WIDE, _HIGH), _spans(deliveries, column)
            _lines(ax, spans)
            if bet is not None and column.endswith("_per_s"):
                _bet(ax, spans, float(bet))
            _axes(ax, sorted(deliveries["size_b"].unique()), words)
        _names(ax, spans, bet)
    return style.Picture(sheet, _alt(deliveries, what, bet))


def factors(deliveries: pd.DataFrame, what: str = "publish") -> pd.Series:
    """How many times as many events Kafka takes as RabbitMQ's quorum queue, by size: the medians' ratio."""
    middle = deliveries.groupby(["size_b", "kind"])[f"{what}_per_s"].median().unstack()
    if not {"kafka", "quorum"} <= set(middle):
        return pd.Series(dtype=float)
    return (middle["kafka"] / middle["quorum"]).sort_index()


def title(deliveries: pd.DataFrame, what: str = "publish") -> str:
    """The finding in one sentence, from the run: Kafka against the queue, for the smallest and the largest events."""
    found = factors(deliveries, what)
    if found.empty:
        return "The larger an event, the fewer a second,\nbut the more bytes a second."
    small, large = int(found.index[0]), int(found.index[-1])
    first = f"Kafka takes {_times(float(found[small]))} events of {_bytes(small)}"
    if small == large:
        return style.two_lines(f"{first} as RabbitMQ's queue.")
    return f"{first}\nas RabbitMQ's queue, and {_times(float(found[large]))} of {_bytes(large)}."


def _times(factor: float) -> str:
    if factor < 0.87:
        return f"only {factor:.2g} times as many"
    return f"{plain(factor)} times as many" if factor >= 1.15 else "about as many"


def _spans(deliveries: pd.DataFrame, column: str) -> dict[str, pd.DataFrame]:
    """Median, slowest and fastest round of each kind, by size; the kinds in the order of the looks."""
    of_kind = {str(kind): rows for kind, rows in deliveries.groupby("kind")}
    return {
        kind: of_kind[kind].groupby("size_b")[column].agg(["median", "min", "max"]).sort_index()
        for kind in _LOOKS
        if kind in of_kind
    }


def _lines(ax: Axes, spans: dict[str, pd.DataFrame]) -> None:
    ax.set_xscale("log")
    ax.set_yscale("log")
    for kind, span in reversed(spans.items()):  # Kafka is drawn last
        look, x = _LOOKS[kind], span.index.to_numpy(dtype=float)
        ax.fill_between(x, span["min"], span["max"], color=look.colour, alpha=0.16, linewidth=0, zorder=2)
        # A size alone has no band to see: a bar in its place.
        ax.vlines(x, span["min"], span["max"], color=look.colour, alpha=0.45, linewidth=1.6, zorder=2)
        classic = kind == "classic"  # of the queue's colour: it is told apart by what is hollow and dashed
        ax.plot(x, span["median"], color=look.colour, linewidth=2.5, marker=look.marker, markersize=8, zorder=4,
                linestyle="--" if classic else "-", markerfacecolor=style.PAPER if classic else look.colour,
                markeredgecolor=look.colour if classic else style.PAPER)  # fmt: skip


def _axes(ax: Axes, measured: Sequence[int], words: str) -> None:
    low, high = float(measured[0]), float(measured[-1])
    edge = max(high / low, 10) ** 0.07
    ax.set_xlim(low / edge, high * edge)
    bottom, top = ax.get_ylim()
    ax.set_ylim(bottom / 1.15, top * 1.15)
    powers = range(math.ceil(math.log10(bottom / 1.15)), math.floor(math.log10(top * 1.15)) + 1)
    ax.set_yticks([10.0**p for p in powers], [f"{10.0**p:,.0f}" if p >= 0 else f"{10.0**p:g}" for p in powers])
    ax.set_xticks(measured, [_bytes(size) for size in measured])
    ax.set_xticks([], minor=True)
    ax.set_yticks([], minor=True)
    ax.tick_params(length=0, pad=5)
    ax.tick_params(axis="x", length=4)
    ax.grid(axis="both", color=style.PALE, linewidth=0.9, zorder=0)
    ax.spines["left"].set_visible(False)
    ax.set_axisbelow(True)
    ax.set_xlabel("size of one event", loc="left", labelpad=5)
    style.name_y(ax, words)


def _bet(ax: Axes, spans: dict[str, pd.DataFrame], bet: float) -> None:
    """The bet, at the smallest size: so many times what the queue takes."""
    if "quorum" not in spans or bet <= 0:
        return
    queue = spans["quorum"]["median"]
    at, least = float(queue.index[0]), float(queue.iloc[0])
    wide = (float(queue.index[-1]) / at) ** 0.28 if len(queue) > 1 else 1.05
    ax.plot([at / 1.05, at * wide], [bet * least] * 2, color=style.INK, linewidth=1.6, linestyle=_DASHED, zorder=6)


def _names(ax: Axes, spans: dict[str, pd.DataFrame], bet: SupportsFloat | None) -> None:
    """Name and language of the client at the end of each line of the right panel; below them the bet's."""
    ends = [float(span["median"].iloc[-1]) for span in spans.values()]
    low, high = (math.log10(end) for end in ax.get_ylim())
    wanted = [(math.log10(end) - low) / (high - low) for end in ends]
    heights = style.spread(wanted + [0.0] * (bet is not None), 0.50 / _HIGH, 0.06, 0.97)
    if bet is not None:  # here, and not at its line: there the others run
        ax.annotate(f"┄┄ your bet: {float(bet):g} times", (1, heights[-1]), (9, 0), xycoords="axes fraction",
                    textcoords="offset points", va="center", size=12, style="italic")  # fmt: skip
    for kind, height in zip(spans, heights, strict=False):
        look = _LOOKS[kind]
        for text, drop, size, weight, colour in (
            (f"{look.sign} {look.name}", 6, 13, "bold", look.words),
            (_CLIENTS.get(kind, _PYTHON), -9, 11, "normal", style.SOFT),
        ):
            ax.annotate(text, (1, height), (9, drop), xycoords="axes fraction", textcoords="offset points",
                        va="center", size=size, weight=weight, color=colour)  # fmt: skip


def _bytes(size: int) -> str:
    return f"{size / 1000:g} kB" if size >= 1000 else f"{size} B"


def _alt(deliveries: pd.DataFrame, what: str, bet: SupportsFloat | None) -> str:
    parts = []
    for kind, span in _spans(deliveries, f"{what}_per_s").items():
        told = ", ".join(
            f"{plain(float(rate))} at {_bytes(size)}" for size, rate in zip(span.index, span["median"], strict=True)
        )
        parts.append(f"{_LOOKS[kind].name} {told}")
    tail = f"; the bet was {float(bet):g} times" if bet is not None else ""
    return f"Events a second ({what}, medians) over the size of an event: {'; '.join(parts)}{tail}."
