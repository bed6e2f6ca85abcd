"""One frame of the stage on paper: a board of a scene at one moment, in the signs that the moving one has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch, PathPatch
from matplotlib.path import Path

from labkit.measure.scene import at as scene_at
from labkit.measure.scene.at import CONSUMER, DEAD, GONE, LANE, Spot
from labkit.measure.scene.cells import LOG
from labkit.plots import style

LANE_IN, NAME_IN, BOX_IN = 0.30, 0.22, 0.46  # heights: of a lane, of its name above it, of a consumer
_GAP, _CELL, _PAD, _BOX_GAP = 0.07, 0.22, 0.045, 0.07
_WAITING, _READ, _LANE, _LINE = "#c3c8d0", "#e4e6ea", "#f4f5f7", "#d3d6dc"
_CROSSED = ("lost", "refused")


def height(board: Mapping[str, Any]) -> float:
    """How high a frame of this board is, in inches."""
    lanes = len(board["lanes"]) * (NAME_IN + LANE_IN + _GAP) - _GAP
    return float(max(lanes, len(board["consumers"]) * (BOX_IN + _BOX_GAP) - _BOX_GAP, 0.6))


@dataclass
class Frame:
    """Where a board is drawn: on `ax`, whose unit is an inch; its left, its top, how wide. t: seconds. key: number."""

    ax: Axes
    board: Mapping[str, Any]
    left: float
    top: float
    wide: float
    t: float
    key: int

    def draw(self) -> None:
        """All of it."""
        spots = scene_at.spots(self.board, self.t, 0.0)
        roomy = self.wide > 6
        self.lane_x = self.left + (1.15 if roomy else 0.62)
        box_w = 1.3 if roomy else 0.98
        self.box_x, self.box_w = self.left + self.wide - box_w, box_w
        self.lane_w = self.box_x - self.lane_x - (0.7 if roomy else 0.22)
        self.high = height(self.board)
        self._producers(0.9 if roomy else 0.56, spots)
        for number, lane in enumerate(self.board["lanes"]):
            self._lane(number, lane, spots)
        self._consumers(spots)

    def _producers(self, wide: float, spots: Sequence[tuple[int, Spot]]) -> None:
        """What is published and not confirmed yet is counted with its producer."""
        names = self.board["producers"]
        for i, name in enumerate(names):
            middle = self.top - self.high * (i + 0.5) / len(names)
            self._box(self.left, middle - BOX_IN / 2, wide, BOX_IN, style.PAPER, _LINE)
            self._words(self.left + 0.08, middle + 0.1, _cut(name, wide), 9.5)
            waits = sum(spot.state == "sent" and spot.number == i for _, spot in spots)
            self._words(self.left + 0.08, middle - 0.1, f"+{waits}" if waits else "", 9, color=style.SOFT)

    def _lane_bottom(self, number: int) -> float:
        lanes = len(self.board["lanes"])
        used = lanes * (NAME_IN + LANE_IN + _GAP) - _GAP
        return self.top - (self.high - used) / 2 - number * (NAME_IN + LANE_IN + _GAP) - NAME_IN - LANE_IN

    def _lane(self, number: int, lane: Mapping[str, Any], spots: Sequence[tuple[int, Spot]]) -> None:
        low, kind = self._lane_bottom(number), lane["kind"]
        still = kind in ("exchange", "dead")
        self._box(self.lane_x, low, self.lane_w, LANE_IN, "none" if still else _LANE, _LINE if still else "none", still)
        self._words(self.lane_x, low + LANE_IN + 0.12, lane["name"], 8.5, color=style.SOFT)
        cells = self.board["cells"]
        if kind == DEAD:
            mine = [(i, spot) for i, spot in spots if spot.place == DEAD]
        else:
            mine = [(i, s) for i, s in spots if cells[i]["lane"] == number and s.start == s.place == LANE]
        mine.sort(key=lambda one: cells[one[0]]["slot"])
        fit = max(int((self.lane_w - 2 * _PAD) / (_CELL + 0.03)), 1)
        pitch = _CELL + 0.03
        first = self._first(number, lane, mine, fit)
        for n, (i, spot) in enumerate(mine):
            place = cells[i]["slot"] - lane["first"] - first if kind == LOG else n
            if 0 <= place < fit:
                along = (
                    place * pitch if kind != "queue" else self.lane_w - 2 * _PAD - (place + 1) * pitch
                )  # its head: right
                self._cell(self.lane_x + _PAD + along, low + 0.04, cells[i], spot.state)
        self._side(lane, mine, first, fit, low)
        self._bars(number, lane, first, fit, pitch, low)

    def _first(self, number: int, lane: Mapping[str, Any], mine: Sequence[tuple[int, Spot]], fit: int) -> int:
        """The first offset that is shown: the window follows the reader."""
        if lane["kind"] != LOG or lane["size"] <= fit:
            return 0
        read = [self.board["cells"][i]["slot"] - lane["first"] for i, spot in mine if spot.state == "read"]
        return min(max(max(read, default=0) - fit // 2, 0), int(lane["size"]) - fit)

    def _side(
        self, lane: Mapping[str, Any], mine: Sequence[tuple[int, Spot]], first: int, fit: int, low: float
    ) -> None:
        words = ""
        if lane["kind"] == "queue":
            words = f"{len(mine)} waiting" if mine else "empty"
        elif lane["kind"] == LOG and lane["size"] > fit:
            begin = lane["first"] + first
            words = f"{begin}–{begin + fit - 1} of {lane['size']}"
        self._words(self.lane_x + self.lane_w, low + LANE_IN + 0.12, words, 8.5, ha="right", color=style.SOFT)

    def _bars(self, number: int, lane: Mapping[str, Any], first: int, fit: int, pitch: float, low: float) -> None:
        for one in self.board["commits"]:
            if one["lane"] != number:
                continue
            past = max((to for when, to in one["steps"] if when <= self.t), default=lane["first"])
            place = past - lane["first"] - first
            if 0 <= place <= fit:
                x = self.lane_x + _PAD + place * pitch - 0.02
                self.ax.plot([x, x], [low - 0.03, low + LANE_IN + 0.03], color=style.INK, lw=2.2, zorder=5)

    def _consumers(self, spots: Sequence[tuple[int, Spot]]) -> None:
        cells, them = self.board["cells"], self.board["consumers"]
        step = self.high / max(len(them), 1)
        for number, consumer in enumerate(them):
            middle = self.top - step * (number + 0.5)
            self._wires(number, middle)
            self._box(self.box_x, middle - BOX_IN / 2, self.box_w, BOX_IN, style.PAPER, _LINE)
            self._words(self.box_x + 0.08, middle + 0.12, _cut(consumer["name"], self.box_w), 9.5)
            mine = [(i, s) for i, s in spots if s.number == number and s.place in (CONSUMER, GONE) and s.part == 1]
            mine = [(i, s) for i, s in mine if s.place == CONSUMER or cells[i]["k"] == self.key]
            mine.sort(key=lambda one: (cells[one[0]]["k"] != self.key, one[1].place == CONSUMER))
            fit = int((self.box_w - 0.1) / 0.25)
            own = sum(cells[i]["k"] == self.key for i, _ in mine)
            for n, (i, spot) in enumerate(mine[max(own - fit, 0) :][:fit]):
                self._cell(self.box_x + 0.08 + n * 0.25, middle - 0.19, cells[i], spot.state, 0.2)

    def _wires(self, number: int, middle: float) -> None:
        for lane, reader in self.board["reads"]:
            if reader != number:
                continue
            x0, y0 = self.lane_x + self.lane_w + 0.03, self._lane_bottom(lane) + LANE_IN / 2
            half = (x0 + self.box_x) / 2
            way = Path(
                [(x0, y0), (half, y0), (half, middle), (self.box_x - 0.03, middle)], [Path.MOVETO, *[Path.CURVE4] * 3]
            )
            self.ax.add_patch(PathPatch(way, fill=False, ec=_LINE, lw=1.2))

    def _cell(self, x: float, y: float, cell: Mapping[str, Any], state: str, size: float = _CELL) -> None:
        """One event, with the signs of `draw.js`."""
        broker, kind = self.board["broker"], self.board["lanes"][cell["lane"]]["kind"]
        marks = {name for name, when in cell["marks"].items() if when <= self.t + 1e-9}
        wrong = bool(marks) or state in ("failed", "dead")
        crossed = bool(marks.intersection(_CROSSED)) or state in ("failed", "dead")
        if cell["k"] != self.key:
            fill = _READ if state == "read" else "none" if state == "out" else _WAITING
            self._box(x, y, size, size, fill, style.BROKEN if wrong else _WAITING if state == "out" else "none")
            if crossed:
                self._words(x + size / 2, y + size / 2, "×", 10, ha="center", color=style.BROKEN, weight="bold")
            return
        look = style.LOOKS.get("stream" if broker == "rabbitmq" and kind == LOG else broker, style.HTTP)
        colour, on = (style.BROKEN, style.PAPER) if wrong else (look.colour, look.on)
        hollow = state == "gone" or (state == "out" and kind != LOG)
        line = style.SOFT if state == "gone" and not wrong else colour
        self._box(x, y, size, size, style.PAPER if hollow else colour, line, state == "gone", 1.6)
        if "twice" in marks:
            self._box(x + 0.03, y + 0.03, size - 0.06, size - 0.06, "none", colour if hollow else style.PAPER, False, 1)
        if "late" in marks:
            self._box(x - 0.025, y - 0.025, size + 0.05, size + 0.05, "none", style.BROKEN, False, 1.2)
        ink = style.INK if hollow and line == colour and not wrong else line if hollow else on
        text = str(cell["n"]) if cell["n"] else "•"
        self._words(x + size / 2, y + size / 2 - 0.005, text, 9.5, ha="center", color=ink, weight="bold", zorder=6)
        if crossed:
            mark: dict[str, Any] = {
                "size": 13,
                "ha": "center",
                "weight": "bold",
                "zorder": 7,
                "path_effects": style.halo(2.5),
            }
            self._words(x + size - 0.01, y + size - 0.01, "×", **mark)

    def _box(
        self, x: float, y: float, w: float, h: float, fill: str, line: str, dashed: bool = False, lw: float = 1.1
    ) -> None:
        shape = f"round,pad=0,rounding_size={min(0.05, h / 5)}"
        look: dict[str, Any] = {"fc": fill, "ec": line, "lw": lw, "ls": (0, (2.2, 1.6)) if dashed else "-", "zorder": 4}
        self.ax.add_patch(FancyBboxPatch((x, y), w, h, boxstyle=shape, **look))

    def _words(self, x: float, y: float, words: str, size: float, **more: Any) -> None:
        self.ax.text(x, y, words, size=size, **{"va": "center", "ha": "left", "zorder": 6, **more})


def _cut(name: str, wide: float) -> str:
    """A name that fits into `wide` inches."""
    fit = int(wide / 0.088)
    return name if len(name) <= fit else name[: fit - 1] + "…"
