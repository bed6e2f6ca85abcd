"""Who has read which of the orders: a row a reader, a cell an order, a column a broker."""

from typing import Any, NamedTuple, cast

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from labkit.plots import style
from labkit.plots.drawable import Drawable

_LEFT, _RIGHT, _BETWEEN = 1.2, 0.3, 0.42  # inches: readers' names, right edge, from one broker to the next
_ROW, _HEAD, _FOOT = 0.62, 1.3, 0.6
DONE, OPEN, DEAD = "done", "open", "dead"


class Line(NamedTuple):
    """One reader of one broker. times: order -> how often it got it. ends: order -> done, open, dead or nothing."""

    broker: str
    reader: str
    times: dict[int, int]
    ends: dict[int, str]

    @property
    def read(self) -> int:
        return sum(count > 0 for count in self.times.values())


def who(result: "Drawable | pd.DataFrame", stamp: str | None = None, title: str | None = None) -> style.Picture:
    """Full cells: read, and the broker knows. Hollow: read, and it was not told. 2×: read twice. ×: a dead letter.

    result: a Result, or its deliveries: one row per reader and order with broker, reader, seq, times, end.
    stamp, title: by default from the run. Raises ValueError when there are no rows.
    """
    rows = result if isinstance(result, pd.DataFrame) else result.deliveries
    found = lines(rows)
    if not found:
        raise ValueError("no readers: nothing to draw")
    if stamp is None:
        stamp = "" if isinstance(result, pd.DataFrame) else result.stamp()
    brokers = list(dict.fromkeys(line.broker for line in found))
    most = max(sum(line.broker == broker for line in found) for broker in brokers)
    said = style.two_lines(title or finding(found))
    head = _HEAD + 0.30 * ("\n" in said)
    height = head + most * _ROW + _FOOT
    with style.paper():
        sheet = style.figure(height, said, "", stamp)
        style.key(sheet, "A cell is an order.", _signs(found))
        names = _names(found)
        between = _BETWEEN if names else _LEFT
        each = (style.WIDTH_IN - _LEFT - _RIGHT - between * (len(brokers) - 1)) / len(brokers)
        for column, broker in enumerate(brokers):
            mine = [line for line in found if line.broker == broker]
            rows_of = names or [line.reader for line in mine]
            left = _LEFT + column * (each + between)
            ax = style.place(sheet, left, height - head - len(rows_of) * _ROW, each, len(rows_of) * _ROW)
            _panel(ax, mine, rows_of, named=column == 0 or not names)
    return style.Picture(sheet, _alt(found))


def lines(rows: pd.DataFrame) -> list[Line]:
    """One Line per broker and reader, in the order of the rows."""
    found = []
    for key, mine in rows.groupby(["broker", "reader"], sort=False):
        broker, reader = cast(tuple[str, str], key)
        seqs = [int(seq) for seq in mine["seq"]]
        times = dict(zip(seqs, (int(count) for count in mine["times"]), strict=True))
        found.append(Line(broker, reader, times, dict(zip(seqs, mine["end"], strict=True))))
    return found


def _names(found: list[Line]) -> list[str]:
    """The readers' names, when one column of them does for all brokers: one broker has all. Else none."""
    each = [[line.reader for line in found if line.broker == broker] for broker in {line.broker for line in found}]
    most = max(each, key=len)
    return most if all([name for name in most if name in some] == some for some in each) else []


def finding(found: list[Line]) -> str:
    """The title: what the late reader got, or else who got how many; per broker."""
    parts = []
    for broker in dict.fromkeys(line.broker for line in found):
        mine = [line for line in found if line.broker == broker]
        last = mine[-1]
        if last.reader == "late":
            parts.append(f"{style.LOOKS[broker].name} gives the late reader {last.read or 'nothing'}")
        else:
            parts.append(f"{style.LOOKS[broker].name}'s readers get {_numbers([line.read for line in mine])}")
    if all(line.reader != "late" or not line.read for line in found) and all(" gives " in part for part in parts):
        return "The late reader gets nothing" + (" from either." if len(parts) == 2 else ".")
    short = [part.replace(" gives the late reader", "").replace(" readers get", "") for part in parts[1:]]
    return ", ".join([parts[0], *short]) + "."


def _numbers(counts: list[int]) -> str:
    said = [str(count or "none") for count in counts]
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"


def _signs(found: list[Line]) -> list[style.Words]:
    """Only the signs that are in the picture."""
    ends = {end for line in found for end in line.ends.values()}
    again = any(count > 1 for line in found for count in line.times.values())
    signs: list[style.Words] = [("■ read", {"weight": "bold"}), ("┄ not read", {})]
    if OPEN in ends:
        signs.append(("□ read, and not done", {}))
    if again:
        most = max(count for line in found for count in line.times.values())
        signs.append(("2× got twice" if most == 2 else f"{most}× got {most} times", {"weight": "bold"}))
    if DEAD in ends:
        signs.append(("× dead letter", {"color": style.BROKEN, "weight": "bold"}))
    return signs


def _panel(ax: Axes, mine: list[Line], names: list[str], named: bool) -> None:
    """One broker. x counts orders, y rows: those of `names`. A reader that this broker has not leaves its row empty."""
    orders = list(mine[0].times)
    look = style.LOOKS[mine[0].broker]
    ax.set_xlim(0, len(orders))
    ax.set_ylim(len(names), 0)
    ax.axis("off")
    ax.annotate(f"{look.sign} {look.name}", (0, 1), (2, 8), xycoords="axes fraction", textcoords="offset points",
                size=13, weight="bold", color=look.words, annotation_clip=False)  # fmt: skip
    for row, name in enumerate(names):
        if named:
            ax.annotate(name.replace(" again", "\nagain"), (0, row + 0.5), (-12, 0), textcoords="offset points",
                        ha="right", va="center", size=12, annotation_clip=False)  # fmt: skip
    for line in mine:
        row = names.index(line.reader)
        for place, seq in enumerate(orders):
            _cell(ax, (place, row), seq, line, look)
        if not line.read:
            ax.annotate("nothing", (len(orders) / 2, row + 0.5), ha="center", va="center", size=13, weight="bold",
                        color=style.INK, bbox={"facecolor": style.PAPER, "edgecolor": "none", "pad": 3})  # fmt: skip


def _cell(ax: Axes, at: tuple[int, int], seq: int, line: Line, look: style.Look) -> None:
    x, y = at
    times, end = line.times[seq], line.ends[seq]
    full = times and end == DONE
    edge = style.BROKEN if end == DEAD else look.words if times else style.GREY
    how: dict[str, Any] = {"facecolor": look.colour if full else style.PAPER, "edgecolor": edge,
           "linewidth": 2 if times else 1.2, "linestyle": "-" if times else (0, (2, 2))}  # fmt: skip
    ax.add_patch(FancyBboxPatch((x + 0.1, y + 0.16), 0.8, 0.68, boxstyle="round,pad=0,rounding_size=0.1", **how))
    if not times:
        return
    ink = look.on if full else edge
    middle = y + (0.4 if times > 1 else 0.5)
    ax.annotate(str(seq), (x + 0.5, middle), ha="center", va="center", size=12, weight="bold", color=ink)
    if end == DEAD:  # at the corner, as on the stage: a narrow cell has no room beside its number
        ax.annotate("×", (x + 0.88, y + 0.2), ha="center", va="center", size=14, weight="bold", color=ink,
                    path_effects=style.halo(2.5))  # fmt: skip
    if times > 1:
        ax.annotate(f"{times}×", (x + 0.5, y + 0.68), ha="center", va="center", size=9, weight="bold", color=ink)


def _alt(found: list[Line]) -> str:
    """The picture in one sentence."""
    parts = []
    for line in found:
        which = ", ".join(str(seq) for seq, count in line.times.items() if count)
        n = len(line.times)
        got = "nothing" if not line.read else f"all {n}" if line.read == n else f"orders {which}"
        again = [str(seq) for seq, count in line.times.items() if count > 1]
        dead = [str(seq) for seq, end in line.ends.items() if end == DEAD]
        more = f", {', '.join(again)} more than once" if again else ""
        more += f", {', '.join(dead)} as a dead letter" if dead else ""
        parts.append(f"{line.reader} on {style.LOOKS[line.broker].name} {got}{more}")
    return f"Who has read which of the orders: {'; '.join(parts)}."
