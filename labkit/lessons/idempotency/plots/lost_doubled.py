"""How often was the customer charged: never to the left, twice to the right, zero in a ring."""

from collections.abc import Mapping
from typing import NamedTuple, SupportsFloat

import pandas as pd
from matplotlib.axes import Axes

from labkit.plots import style
from labkit.plots.drawable import Drawable

_WORDS_IN, _ROW_IN, _HEAD_IN, _FOOT_IN = 2.35, 0.60, 1.34, 0.98
_TITLE = 60  # characters in a line
_TIED = "\N{NO-BREAK SPACE}"
_HALF = 0.30  # of a row: half the height of a bar


class Line(NamedTuple):
    """One strategy on one broker. extra: charges too many, more than `doubled` when somebody paid three times."""

    strategy: str
    broker: str
    lost: int
    doubled: int
    extra: int
    payments: int
    crashes: int


Bets = Mapping[str, SupportsFloat]


def bars(
    result: Drawable, lost_bets: Bets | None = None, doubled_bets: Bets | None = None, stamp: str | None = None
) -> style.Picture:
    """A row a strategy, a panel a broker, one scale for all.

    result.deliveries: a row a run: strategy, broker, lost, doubled, extra, payments, crashes. A strategy that only one
    of two brokers has is "not on offer" at the other. lost_bets, doubled_bets: strategy -> bet, drawn in ink.
    Raises ValueError when there are no rows.
    """
    found = lines(result.deliveries)
    if not found:
        raise ValueError("no runs: nothing to draw")
    bets = [(name, -float(bet)) for name, bet in (lost_bets or {}).items()]
    bets += [(name, float(bet)) for name, bet in (doubled_bets or {}).items()]
    strategies = list(dict.fromkeys(line.strategy for line in found))
    brokers = [broker for broker in style.EVENTS if any(line.broker == broker for line in found)]
    more = any(line.extra > line.doubled for line in found)  # its words need room
    most = max([max(line.lost, line.doubled) for line in found] + [abs(bet) for _, bet in bets] + [1])
    reach, said = most * (1.75 if more else 1.32), title(found)
    height = _HEAD_IN + 0.30 * said.count("\n") + _ROW_IN * len(strategies) + _FOOT_IN
    with style.paper():
        sheet = style.figure(height, said, subtitle(found), result.stamp() if stamp is None else stamp)
        wide = (style.WIDTH_IN - _WORDS_IN - 0.25) / len(brokers)
        for at, broker in enumerate(brokers):
            left = _WORDS_IN + at * wide
            ax = style.place(sheet, left, _FOOT_IN, wide - 0.2, _ROW_IN * len(strategies))
            own = {line.strategy: line for line in found if line.broker == broker}
            _panel(ax, broker, strategies, own, bets, reach)
            if at == 0:
                _names(ax, strategies)
        if bets:
            sheet.text(0.02, 0.42 / height, "▼ your bet", size=12, weight="bold", style="italic", va="bottom")
    return style.Picture(sheet, _alt(found, bets))


def lines(table: pd.DataFrame) -> list[Line]:
    """One line a run."""
    rows = table[list(Line._fields)].itertuples(index=False, name=None)
    return [Line(*row) for row in rows]


def title(found: list[Line]) -> str:
    """The finding: whom the worst strategy of each kind lost or doubled; of many, the one or two that did neither."""
    total = found[0].payments
    twice = max(found, key=lambda line: line.doubled)
    never = max(found, key=lambda line: line.lost)
    if not twice.doubled and not never.lost:
        words = f"Through {max(line.crashes for line in found)} crashes, all {total:,} customers were charged once"
        return style.two_lines(words, _TITLE)
    good = clean(found)
    if 0 < len(good) <= 2 and len({line.strategy for line in found}) > 3:
        tied = " and ".join(f"“{name}”".replace(" ", _TIED) for name in good)  # a name is not broken in two
        words = f"Only {tied} charged all {total:,} customers once"
        return style.two_lines(words, _TITLE).replace(_TIED, " ")
    parts = []
    if twice.doubled:
        times = "more than once" if twice.extra > twice.doubled else "twice"
        parts.append(f"{_said(twice)} charged {twice.doubled} of {total:,} customers {times}")
    if never.lost:
        rest = f"never charged {never.lost} of {total:,} customers"
        parts.append(f"“{never.strategy}” forgot {never.lost}" if parts else f"{_said(never)} {rest}")
    return style.two_lines(", ".join(parts), _TITLE)


def clean(found: list[Line]) -> list[str]:
    """The strategies that lost and doubled nobody, on any broker."""
    affected = {line.strategy for line in found if line.lost or line.doubled}
    return [name for name in dict.fromkeys(line.strategy for line in found) if name not in affected]


def subtitle(found: list[Line]) -> str:
    """How many crashes, in how many payments."""
    crashes = {line.crashes for line in found}
    total = f"{found[0].payments:,} payments"
    if len(found) == 1:
        too_many = " In brackets: charges too many." if found[0].extra > found[0].doubled else ""
        return f"{_crashes(found[0].crashes)} in {total}.{too_many}"
    if len(crashes) == 1:
        return f"{_crashes(found[0].crashes)} in {total}, the same in every row."
    return f"{total} in every row, and {min(crashes)} to {max(crashes)} crashes."


def _crashes(count: int) -> str:
    return f"{count} crash{'' if count == 1 else 'es'}"


def _said(line: Line) -> str:
    """A strategy at the beginning of a sentence."""
    return f"“{line.strategy[0].upper()}{line.strategy[1:]}”"


def _panel(
    ax: Axes, broker: str, strategies: list[str], own: dict[str, Line], bets: list[tuple[str, float]], reach: float
) -> None:
    more = any(line.extra > line.doubled for line in own.values())
    ax.set_xlim(-reach, reach)
    ax.set_ylim(len(strategies) - 0.5, -0.5)
    ax.axis("off")
    look = style.LOOKS[broker]
    ax.axvline(0, color=style.GREY, linewidth=1.2, zorder=1)
    ax.annotate(f"{look.sign} {look.name}", (0.5, 1), (0, 8), xycoords="axes fraction", textcoords="offset points",
                ha="center", va="bottom", size=14, weight="bold", color=look.words)  # fmt: skip
    for row, name in enumerate(strategies):
        if name in own:
            _line(ax, own[name], row, reach)
        else:
            ax.text(0, row, "not on offer", ha="center", va="center", size=11, color=style.SOFT, zorder=3,
                    bbox={"facecolor": style.PAPER, "edgecolor": "none", "pad": 3})  # fmt: skip
    for name, bet in bets:
        if name in own:
            _bet(ax, bet, strategies.index(name))
    for side, words in ((-1, "◀ never charged"), (1, "more than once ▶" if more else "twice ▶")):
        ax.annotate(words, (0.5, 0), (side * 8, -8), xycoords="axes fraction", textcoords="offset points", va="top",
                    ha="right" if side < 0 else "left", size=11.5, weight="bold", color=style.BROKEN)  # fmt: skip


def _line(ax: Axes, line: Line, row: int, reach: float) -> None:
    if not line.lost and not line.doubled:
        ax.plot([0], [row], "o", markersize=23, markerfacecolor=style.PAPER, markeredgecolor=style.GOOD,
                markeredgewidth=2.6, zorder=4)  # fmt: skip
        ax.text(0, row, "0", ha="center", va="center_baseline", size=13, weight="bold", color=style.GOOD, zorder=5)
        return
    for count, side in ((line.lost, -1), (line.doubled, 1)):
        if not count:
            continue
        # Hollow: something is missing. Full: something is there too often.
        ax.barh(row, side * count, 2 * _HALF, facecolor=style.PAPER if side < 0 else style.BROKEN,
                edgecolor=style.BROKEN, linewidth=2.2, zorder=2)  # fmt: skip
        more = f" (+{line.extra})" if side > 0 and line.extra > line.doubled else ""
        ax.text(side * (count + reach * 0.03), row, f"{count}{more}", ha="right" if side < 0 else "left",
                va="center_baseline", size=14, weight="bold", color=style.BROKEN, zorder=4,
                path_effects=style.halo(3))  # fmt: skip


def _bet(ax: Axes, bet: float, row: int) -> None:
    ax.plot([bet, bet], [row - 0.40, row + 0.42], color=style.INK, linewidth=2.4, linestyle=(0, (1.6, 1)), zorder=6)
    ax.plot([bet], [row - 0.42], "v", color=style.INK, markersize=8, zorder=6, clip_on=False)


def _names(ax: Axes, strategies: list[str]) -> None:
    for row, name in enumerate(strategies):
        ax.annotate(name, (0, row), (-10, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
                    ha="right", va="center", size=12, annotation_clip=False)  # fmt: skip


def _alt(found: list[Line], bets: list[tuple[str, float]]) -> str:
    def told(line: Line) -> str:
        return f"{line.strategy} on {style.LOOKS[line.broker].name} {line.lost} never, {line.doubled} more than once"

    said = "; ".join(told(line) for line in found)
    betted = [f"{abs(bet):g} {'never' if bet < 0 else 'twice'} with {name}" for name, bet in bets]
    end = f"; your bets: {', '.join(betted)}." if betted else "."
    return f"How often {found[0].payments:,} customers were charged: {said}{end}"
