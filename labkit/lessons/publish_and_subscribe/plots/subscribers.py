"""How far each subscriber is behind, second by second: a row a subscriber, a column a broker, one scale for all."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from labkit.measure.lag import behind
from labkit.measure.result import Measure
from labkit.plots import style
from labkit.plots.drawable import Measured

_LEFT, _RIGHT, _ROW, _GAP, _BETWEEN = 1.85, 0.25, 0.66, 0.2, 0.4  # inches
_HEAD, _FOOT = 1.68, 0.98


class Line(NamedTuple):
    """One subscriber on one broker. waits: second -> orders that wait from then on.

    dead_s: when the orders that it gave up were published, in seconds.
    """

    broker: str
    who: str
    waits: pd.Series
    published: int
    handled: int
    dead_s: tuple[float, ...]

    @property
    def dead(self) -> int:
        return len(self.dead_s)

    @property
    def peak(self) -> int:
        return int(self.waits.max()) if len(self.waits) else 0

    def peak_between(self, begin_s: float, end_s: float) -> int:
        """The most that waited at any time from begin_s to end_s."""
        before = self.waits[self.waits.index <= begin_s].tail(1)
        inside = self.waits[(self.waits.index > begin_s) & (self.waits.index <= end_s)]
        return int(max([0, *before, *inside]))


class Moments(NamedTuple):
    """Seconds; None for what did not happen. slow: from, until."""

    starts: float | None
    ready: float | None
    slow: tuple[float, float] | None


def lag(result: Measured, stamp: str | None = None) -> style.Picture:
    """The orders that wait in the broker for each subscriber, over time.

    result.deliveries: a row an order and subscriber: broker, who, published_s, handled_s, dead. result.measures: of
    fraud_starts, fraud_ready, slow_from, slow_until, in seconds, those that there are. stamp: by default the result's.
    Raises ValueError when there are no rows.
    """
    if result.deliveries.empty:
        raise ValueError("no orders: nothing to draw")
    at = _moments(result.measures)
    found = lines(result.deliveries, at)
    brokers = list(dict.fromkeys(line.broker for line in found))
    who = list(dict.fromkeys(line.who for line in found))
    last = float(result.deliveries["published_s"].max())
    end = max(
        [last, at.slow[1] if at.slow else 0, *(float(line.waits.index.max()) for line in found if len(line.waits))]
    )
    top = max(8, *(line.peak for line in found))
    with style.paper():
        said = style.two_lines(title(found, at))
        head = _HEAD - 0.30 * ("\n" not in said)
        height = head + len(who) * (_ROW + _GAP) - _GAP + _FOOT
        sheet = style.figure(height, said, _SUBTITLE, result.stamp() if stamp is None else stamp)
        wide = (style.WIDTH_IN - _LEFT - _RIGHT - _BETWEEN * (len(brokers) - 1)) / len(brokers)
        for column, broker in enumerate(brokers):
            left = _LEFT + column * (wide + _BETWEEN)
            _bands(sheet, (left, wide, height - head), at, end, style.LOOKS[broker])
            for row, name in enumerate(who):
                ax = style.place(sheet, left, height - head - _ROW - row * (_ROW + _GAP), wide, _ROW)
                (line,) = [line for line in found if (line.broker, line.who) == (broker, name)]
                _panel(ax, line, end, top, at, first=column == 0, last=row == len(who) - 1)
                _note(ax, line, at, slow=at.slow is not None and name == _slowest(found, *at.slow))
    return style.Picture(sheet, _alt(found, at))


_SUBTITLE = "Orders published and not yet handled: how far each subscriber is behind."


def lines(rows: pd.DataFrame, at: Moments) -> list[Line]:
    """One Line per subscriber and broker, in the order of the rows."""
    found = []
    for (broker, who), mine in rows.groupby(["broker", "who"], sort=False):
        done = mine[mine["handled_s"].notna()]
        joined = _joined(done, at) if who == "fraud" else 0.0
        waits = behind(done["published_s"], done["handled_s"], joined)
        found.append(
            Line(str(broker), str(who), waits, len(mine), len(done), tuple(mine.loc[mine["dead"], "published_s"]))
        )
    return found


def title(found: list[Line], at: Moments) -> str:
    """What one subscriber went through, and what the others noticed of it: from the run."""
    if at.slow:
        who = _slowest(found, *at.slow)
        mine = max(line.peak for line in found if line.who == who)
        others = max((line.peak_between(*at.slow) for line in found if line.who != who), default=0)
        return f"{who.capitalize()} falls {mine} orders behind; meanwhile no other is more than {others} behind."
    if broken := [line for line in found if line.dead]:
        names = list(dict.fromkeys(line.who for line in broken))
        missed = sum(line.published - line.handled for line in found if line.who not in (*names, "fraud"))
        dead = sum(line.dead for line in broken)
        return f"{names[0].capitalize()} puts {dead} orders aside; the others miss {missed or 'none'}."
    joined = [line for line in found if line.who == "fraud"]
    if joined:
        each = "; ".join(f"{style.LOOKS[line.broker].name} gives it {line.handled}" for line in joined)
        return f"Fraud joins while {joined[0].published} orders flow. {each}."
    most = max(line.peak for line in found)
    return f"{len(found)} readers, and none is ever more than {most} {'order' if most == 1 else 'orders'} behind."


def _slowest(found: list[Line], begin_s: float, end_s: float) -> str:
    """Who was furthest behind in these seconds."""
    return max(found, key=lambda line: line.peak_between(begin_s, end_s)).who


def _moments(measures: Mapping[str, Measure]) -> Moments:
    known = {name: float(value) for name, value in measures.items()}
    slow = (known["slow_from"], known["slow_until"]) if {"slow_from", "slow_until"} <= set(known) else None
    return Moments(known.get("fraud_starts"), known.get("fraud_ready"), slow)


def _joined(done: pd.DataFrame, at: Moments) -> float:
    """When it began to read: it was ready, or had handled its first, whichever was sooner."""
    return min([float(done["handled_s"].min())] * (len(done) > 0) + [at.ready or 0.0])


def _bands(sheet: Figure, place: tuple[float, float, float], at: Moments, end: float, look: style.Look) -> None:
    """The broker's name, and through all rows of its column what happened when."""
    left, wide, top = place
    back = style.place(sheet, left, _FOOT, wide, top - _FOOT + 0.06)
    back.set_xlim(0, end)
    back.axis("off")
    back.annotate(f"{look.sign} {look.name}", (0, 1), (0, 21), xycoords="axes fraction", textcoords="offset points",
                  size=13, weight="bold", color=look.words)  # fmt: skip
    said: Any = {"size": 11, "color": style.SOFT, "va": "bottom", "textcoords": "offset points"}
    where = back.get_xaxis_transform()
    if at.slow:
        back.axvspan(*at.slow, color=style.BAND, linewidth=0)
        back.annotate("slow", (sum(at.slow) / 2, 1), (0, 3), xycoords=where, ha="center", **said)
    if at.starts is not None:
        back.axvline(at.starts, color=style.GREY, linewidth=1.2, linestyle=(0, (2, 2)))
        before = at.starts > end / 3  # on the side on which there is room
        side: Any = {"ha": "right"} if before else {"ha": "left"}
        back.annotate("fraud starts", (at.starts, 1), (3 if before else -3, 3), xycoords=where, **side, **said)


def _panel(ax: Axes, line: Line, end: float, top: int, at: Moments, first: bool, last: bool) -> None:
    look = style.LOOKS[line.broker]
    ax.patch.set_visible(False)
    ax.set_xlim(0, end)
    ax.set_ylim(0, top * 1.35)  # the note stands above what it speaks of
    ax.yaxis.set_major_locator(MaxNLocator(2, integer=True, steps=[1, 2, 5, 10]))
    ax.grid(axis="y", color=style.PALE, linewidth=0.9)
    ax.set_axisbelow(True)
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0, pad=5, labelsize=10, labelleft=first)
    ax.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    ax.xaxis.set_major_formatter(lambda second, _: f"{second:g}")
    ax.tick_params(axis="x", length=4 if last else 0, labelbottom=last)
    if last:
        ax.set_xlabel("seconds since the first order", loc="left", labelpad=3, size=11)
    if len(line.waits):
        steps = line.waits.reindex([*line.waits.index, end], method="ffill")
        ax.fill_between(steps.index, steps.to_numpy(), step="post", color=look.colour, alpha=0.25, linewidth=0)
        ax.step(steps.index, steps, where="post", color=look.colour, linewidth=1.6, clip_on=False)
    if line.dead:
        size = min(4.5, max(2.5, 200 / line.dead))
        ax.plot(line.dead_s, [top * 0.14] * line.dead, "x", color=style.BROKEN, markersize=size, markeredgewidth=0.9)
    if first:
        ax.annotate(line.who, (0, 0.5), (-34, 0), xycoords="axes fraction", textcoords="offset points", ha="right",
                    va="center", size=12.5, weight="bold")  # fmt: skip
    if line.who == "fraud" and at.starts is not None:
        _starting(ax, at.starts, line.waits.index.min() if len(line.waits) else at.ready or end, end)


def _starting(ax: Axes, begin: float, until: float, end: float) -> None:
    """A new process is started, and does not listen yet."""
    ax.plot([begin, until], [0, 0], ":", color=style.GREY, linewidth=2, clip_on=False)
    if (until - begin) / end > 0.2:  # room for the word
        ax.annotate("starting", ((begin + until) / 2, 0), (0, 4), textcoords="offset points", ha="center", size=10,
                    color=style.SOFT, path_effects=style.halo(3))  # fmt: skip


def _note(ax: Axes, line: Line, at: Moments, slow: bool) -> None:
    """The number to read: how far behind at most, or what became of the orders otherwise."""
    how: Any = {"xycoords": "axes fraction", "textcoords": "offset points", "va": "top", "ha": "right", "size": 11}
    halo: Any = {"path_effects": style.halo(3)}
    if line.dead:
        words = f"× {line.dead} of {line.published} put aside"
        ax.annotate(words, (1, 1), (0, 2), **how, **halo, color=style.BROKEN, weight="bold")
    elif line.who == "fraud":
        words = f"got {line.handled} of {line.published}"
        ax.annotate(words, (1, 1), (0, 2), **how, **halo, color=style.INK, weight="bold")
    else:
        ax.annotate(_at_most(line, None if slow else at.slow), (1, 1), (0, 2), **how, **halo, color=style.SOFT)


def _at_most(line: Line, while_slow: tuple[float, float] | None) -> str:
    """The peak. The title counts only while another is slow: so a higher one at another time is told apart."""
    inside = line.peak_between(*while_slow) if while_slow else line.peak
    if while_slow is None or inside == line.peak:
        return f"at most {line.peak}"
    when = "before" if float(line.waits.index[int(line.waits.argmax())]) < while_slow[0] else "after"
    return f"at most {inside} (and {line.peak} {when})"


def _alt(found: list[Line], at: Moments) -> str:
    """The picture in one sentence."""
    parts = []
    for line in found:
        more = f", {line.dead} put aside" if line.dead else ""
        parts.append(f"{line.who} on {style.LOOKS[line.broker].name} at most {line.peak} behind, "
                     f"{line.handled} of {line.published} handled{more}")  # fmt: skip
    slow = f", one slow from {at.slow[0]:.1f} to {at.slow[1]:.1f} s" if at.slow else ""
    return f"Orders that wait for each subscriber over time{slow}: {'; '.join(parts)}."
