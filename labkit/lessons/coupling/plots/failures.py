"""Random failures: a mark for every order that was lost, a row a design, and the law that says how many."""

from collections.abc import Sequence
from typing import NamedTuple, cast

import pandas as pd
from matplotlib.axes import Axes

from labkit.measure.result import plain
from labkit.plots import style
from labkit.plots.drawable import Drawable

_LEFT, _WIDE, _ROW, _BLOCK, _BELOW = 0.28, 5.6, 0.36, 0.74, 0.14  # inches: the axes, a row, what is over and under
_HEAD, _FOOT = 1.12, 0.55
_LARGEST_IN = 0.165  # from one mark to the next


class Line(NamedTuple):
    """One design at one probability. half_done: failed, but the stock is reserved. predicted: failures, by the seed."""

    refuse: float
    design: str
    n: int
    failed: int
    half_done: int
    predicted: int


def bars(result: Drawable, stamp: str | None = None, services: int = 3) -> style.Picture:
    """Every checkout that failed is a mark; for the chain beside the law n(1 - (1-p)^services) and the prediction.

    result.deliveries: a row a checkout: refuse (the probability p), design, ok, reservations, predicted (must it be
    taken, by the seed). services: how many have to say yes. stamp: by default the result's own.
    Raises ValueError when there are no rows.
    """
    found = lines(result.deliveries)
    if not found:
        raise ValueError("no checkouts: nothing to draw")
    blocks = {p: [line for line in found if line.refuse == p] for p in dict.fromkeys(line.refuse for line in found)}
    longest = max(max(line.failed, line.predicted, lost(line, services)) for line in found)
    step = min(_LARGEST_IN, _WIDE / (longest + 1))
    with style.paper():
        height = _HEAD + sum(_BLOCK + _ROW * len(block) + _BELOW for block in blocks.values()) - _BELOW + _FOOT
        sheet = style.figure(height, title(found, services), "", result.stamp() if stamp is None else stamp)
        half_done = ("⊠ failed, but its stock is reserved", {"color": style.BROKEN, "weight": "bold"})
        style.key(sheet, "A mark is a checkout:", [style.FAILED_SIGN, half_done])
        top = height - _HEAD
        for block in blocks.values():
            high = _ROW * len(block)
            _block(style.place(sheet, _LEFT, top - _BLOCK - high, _WIDE, high), block, step, services)
            top -= _BLOCK + high + _BELOW
    return style.Picture(sheet, _alt(found, services))


def lines(deliveries: pd.DataFrame) -> list[Line]:
    """One line per probability and design."""
    found = []
    for key, some in deliveries.groupby(["refuse", "design"], sort=False):
        refuse, design = cast(tuple[float, str], key)
        failed = some[~some["ok"]]
        half_done = int((failed["reservations"] > 0).sum())
        predicted = int((~some["predicted"]).sum())
        found.append(Line(refuse, design, len(some), len(failed), half_done, predicted))
    return sorted(found, key=lambda line: (line.refuse, list(style.LOOKS).index(line.design)))


def lost(line: Line, services: int) -> float:
    """How many of the orders the law says are lost, when every one of the services has to say yes the first time."""
    return line.n * (1 - (1 - line.refuse) ** services)


def title(found: Sequence[Line], services: int = 3) -> str:
    """The finding in two sentences: what the chain loses where services fail most, and what the others do."""
    worst = [line for line in found if line.refuse == max(one.refuse for one in found)]
    share = {line.design: line.failed / line.n for line in worst}
    first = f"Each of {services} services refuses {_percent(worst[0].refuse)}: "
    first += f"the chain loses {_percent(share['http'])}." if "http" in share else "what do customers notice?"
    parts = []
    if "retries" in share:
        parts.append(f"with retries {_share(share['retries'])}")
    if events := [share[design] for design in share if design in style.EVENTS]:
        parts.append(f"with events {_share(max(events))}")
    second = ", ".join(parts)
    if len(parts) == 2 and share["retries"] == max(events) == 0:
        second = "with retries or with events no order is lost"
    return f"{first}\n{second[:1].upper()}{second[1:]}." if second else first


def _share(value: float) -> str:
    return _percent(value) if value else "none"


def _percent(value: float) -> str:
    return f"{plain(value * 100)} %".replace(".0 %", " %")


def _block(ax: Axes, block: Sequence[Line], step: float, services: int) -> None:
    """The designs at one probability. x counts inches, y rows."""
    ax.set_xlim(0, _WIDE)
    ax.set_ylim(len(block), 0)
    ax.axis("off")
    first = block[0]
    ax.annotate(f"Each service refuses {_percent(first.refuse)}, {first.n} orders each", (0, 1), (-7, 29), size=13,
                weight="bold", xycoords="axes fraction", textcoords="offset points", va="bottom")  # fmt: skip
    for row, line in enumerate(block):
        ax.plot([0, _WIDE], [row + 0.5] * 2, color=style.PALE, linewidth=0.9, zorder=1)
        _marks(ax, line, row + 0.5, step)
        _words(ax, line, 1 - (row + 0.5) / len(block))
        if line.design == "http":
            _law(ax, line, row, step, services)


def _marks(ax: Axes, line: Line, at: float, step: float) -> None:
    """The failed checkouts, those first that are half done: in a box, the stock that is reserved."""
    size = min(step * 72 * 0.62, 8.0)
    x = [(i + 0.5) * step for i in range(line.failed)]
    if x:
        ax.plot(x, [at] * len(x), "x", color=style.BROKEN, markersize=size * 0.8, markeredgewidth=size / 4.2, zorder=4)
    if boxed := x[: line.half_done]:
        ax.plot(boxed, [at] * len(boxed), "s", markerfacecolor=style.PAPER, markeredgecolor=style.BROKEN,
                markersize=size * 1.25, markeredgewidth=size / 7, zorder=3)  # fmt: skip
    if not line.failed:
        ax.plot(0.5 * step, at, "o", markersize=8.5, markerfacecolor=style.PAPER, markeredgecolor=style.GOOD,
                markeredgewidth=2, zorder=3)  # fmt: skip


def _words(ax: Axes, line: Line, at: float) -> None:
    look = style.LOOKS[line.design]
    name = f"event, {look.name}" if line.design in style.EVENTS else look.name
    count, colour = (f"× {line.failed}", style.BROKEN) if line.failed else ("0", style.GOOD)
    for x, text, side, its in ((_WIDE + 0.16, name, "left", look.words), (8.58, count, "right", colour)):
        ax.annotate(text, (x / _WIDE, at), xycoords="axes fraction", ha=side, va="center", size=13, weight="bold",
                    color=its, annotation_clip=False)  # fmt: skip


def _law(ax: Axes, line: Line, row: int, step: float, services: int) -> None:
    """A line of ink at what the law expects, ▼ at what the seed has fixed."""
    expected = lost(line, services)
    x = expected * step
    ax.plot([x, x], [row - 0.12, row + 0.95], color=style.INK, linewidth=1.5, zorder=5, clip_on=False)
    law = f"│ the law: {line.n} × (1 − {1 - line.refuse:g}{_power(services)}) = {expected:.1f}"
    ax.annotate(f"{law}     ▼ predicted from the seed: {line.predicted}", (0, row), (-7, 8), size=11.5, va="bottom",
                textcoords="offset points", color=style.SOFT, annotation_clip=False)  # fmt: skip
    ax.plot(line.predicted * step, row - 0.02, "v", color=style.INK, markersize=7, zorder=5, clip_on=False)


def _power(services: int) -> str:
    return str(services).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _alt(found: Sequence[Line], services: int) -> str:
    """The picture in one sentence."""
    parts = []
    for line in found:
        law = f" (law {plain(lost(line, services))}, seed {line.predicted})" if line.design == "http" else ""
        half = f", {line.half_done} of them with the stock reserved" if line.half_done else ""
        name = style.LOOKS[line.design].name
        parts.append(f"at {_percent(line.refuse)} {name} {line.failed} of {line.n}{law}{half}")
    return f"Checkouts that failed at random: {'; '.join(parts)}."
