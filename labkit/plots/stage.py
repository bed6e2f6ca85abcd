"""The stage on paper: three moments of a replayed run, one below the other; two brokers side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

from labkit.measure.scene import Scene, label
from labkit.measure.scene import moments as times_of
from labkit.measure.scene import words as scene_words
from labkit.plots import style
from labkit.plots.stage_frame import Frame, height
from labkit.plots.style import Picture

__all__ = ["Picture", "clock", "moments"]

_TOP_IN, _FOOT_IN, _CLOCK_IN, _GAP_IN, _HEAD_IN = 0.95, 0.78, 0.24, 0.2, 0.3
_SIDE_IN, _BETWEEN_IN = 0.18, 0.3


def moments(scene: Scene, key: str, stamp: str = "") -> Picture:
    """Three moments: `key` first out, its turning point, its end. Where nothing goes wrong with it, the run's end.

    Raises ValueError for an unknown key.
    """
    k = scene["keys"].index(key)
    words = scene_words.of_key(scene, k)
    boards = scene["boards"]
    columns = 2 if len(boards) == 2 else 1
    stacks = [boards] if columns == 2 else [[board] for board in boards]
    high = _TOP_IN + _FOOT_IN + sum(_stack_height(stack, len(boards)) for stack in stacks)
    title = style.two_lines(words["title"])
    high += 0.3 * title.count("\n")
    with style.paper():
        sheet = style.figure(high, title, words["subtitle"], stamp)
        ax = style.place(sheet, 0, 0, style.WIDTH_IN, high)
        ax.set_xlim(0, style.WIDTH_IN)
        ax.set_ylim(0, high)
        ax.axis("off")
        top = high - _TOP_IN - 0.3 * title.count("\n")
        for stack in stacks:
            _stack(ax, stack, k, top, len(boards) > 1)
            top -= _stack_height(stack, len(boards))
        _signs(ax, scene, k)
        ax.text(_SIDE_IN, 0.09, words["note"], size=8.5, color=style.GREY, va="bottom")
    told = []
    for number, board in enumerate(boards):
        own = [line for line in words["lines"] if line[1] == number]
        told += [
            f"{board['name']} at {clock(t)}: {scene_words.last(own, t) or 'nothing yet.'}" for t in _three(board, k)
        ]
    return Picture(sheet, f"{words['title']}. Three moments of the run. " + " ".join(told))


def clock(t: float) -> str:
    """A moment: `42.3 ms`, `1.50 s`."""
    return f"{t:.2f} s" if t >= 10 else f"{t * 1000:.1f} ms" if t < 0.1 else f"{t * 1000:.0f} ms"


def clocks(times: Sequence[float]) -> list[str]:
    """The same for each of them; with more decimals where two moments would look like one."""
    told = [clock(t) for t in times]
    alike = len(set(told)) < len(set(times))
    return [f"{t * 1000:.3f} ms" for t in times] if alike else told


def _stack_height(stack: Sequence[Mapping[str, Any]], boards: int) -> float:
    frame = max(height(board) for board in stack) + _CLOCK_IN + _GAP_IN
    return 3 * frame + (_HEAD_IN if boards > 1 else 0)


def _stack(ax: Axes, stack: Sequence[Mapping[str, Any]], k: int, top: float, named: bool) -> None:
    wide = (style.WIDTH_IN - 2 * _SIDE_IN - (len(stack) - 1) * _BETWEEN_IN) / len(stack)
    step = max(height(board) for board in stack) + _CLOCK_IN + _GAP_IN
    for column, board in enumerate(stack):
        left, y = _SIDE_IN + column * (wide + _BETWEEN_IN), top
        if named:
            look = style.LOOKS.get(board["broker"], style.HTTP)
            ax.text(
                left, y - 0.1, f"{look.sign} {board['name']}", size=13, weight="bold", color=look.words, va="center"
            )
            y -= _HEAD_IN
        three = _three(board, k)
        for t, when in zip(three, clocks(three), strict=True):
            ax.text(left, y - 0.1, when, size=11, weight="bold", va="center")
            Frame(ax, board, left, y - _CLOCK_IN, wide, t, k).draw()
            y -= step


def _three(board: Mapping[str, Any], k: int) -> list[float]:
    """Three moments that tell a key's story on one board; the same one again where it has no more.

    A story without trouble ends with the whole run: then one sees what has stayed, and what has gone.
    """
    mine = [cell for cell in board["cells"] if cell["k"] == k]
    times = sorted({time for cell in mine for time in times_of(cell)}) or [0.0]
    reads = [trip["r"] for cell in mine for trip in cell["trips"]]
    first = min(reads, default=times[0])
    marks = [when for cell in mine for when in cell["marks"].values()]
    failed = [trip["f"] for cell in mine for trip in cell["trips"] if trip["f"] is not None]
    # What is drawn changes when an event comes, is received or acknowledged; not when it is handled.
    acts = [trip[name] for cell in mine for trip in cell["trips"] for name in "ra"]
    shown = {*(cell["at"] for cell in mine), *(time for time in acts if time is not None)}
    between = sorted(time for time in shown if first < time < times[-1])
    middle = between[len(between) // 2] if between else times[-1]
    turn = min(marks or failed, default=middle)
    whole = max(time for cell in board["cells"] for time in times_of(cell))
    last = times[-1] if marks or failed else whole
    return sorted([first, min(max(turn, first), last), last])


def _signs(ax: Axes, scene: Scene, k: int) -> None:
    """What the signs mean: only those that are on the picture."""
    kinds = {lane["kind"] for board in scene["boards"] for lane in board["lanes"]}
    mine = [cell for board in scene["boards"] for cell in board["cells"] if cell["k"] == k]
    marks = {mark for cell in mine for mark in cell["marks"]}
    name = label(scene["keys"][k], scene["noun"], in_a_sentence=True)
    broken = {"color": style.BROKEN, "weight": "bold"}
    signs: list[style.Words] = [(f"a number: {name}", {}), ("+n: sent, not confirmed", {})]
    if any(board["commits"] for board in scene["boards"]):
        signs.append(("▎ committed so far", {}))
    if "queue" in kinds:
        acked = any(board["acked"] for board in scene["boards"])
        out: list[style.Words] = [("hollow: out, not acknowledged", {}), ("dashed: acknowledged, gone", {})]
        signs += out if acked else [("hollow: received", {})]
    for mark, words in (("late", "ring: out of order"), ("twice", "double border: twice")):
        if mark in marks:
            signs.append((words, broken))
    crossed = any(trip["f"] is not None or trip["x"] is not None for cell in mine for trip in cell["trips"])
    if crossed or marks & {"lost", "refused"}:
        signs.append(("× failed, lost or dead letter", broken))
    high, left = ax.get_ylim()[1], _SIDE_IN / style.WIDTH_IN
    rows = [signs] if len(signs) < 5 else [signs[: (len(signs) + 1) // 2], signs[(len(signs) + 1) // 2 :]]
    for number, row in enumerate(rows):
        style.words_in_a_row(ax, (left, (0.58 - 0.2 * number) / high), row, gap=18, size=10, color=style.SOFT)
