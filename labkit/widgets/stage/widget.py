"""`stage`: the run of a trace once more, in slow motion, as moving events.

stage(result, slow=200)

It replays measured rows and never simulates; `labkit.measure.scene` says what it shows. Without a browser:
`s.key = "order-3"`, `s.t = 0.042`, then `s.alt` in words and `s.png()` as a picture.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from labkit.base.errors import LabError
from labkit.events.rows import Row
from labkit.measure import scene as scenes
from labkit.measure.scene import words as scene_words
from labkit.plots import stage as drawn
from labkit.plots.style import SHOWN_PX

if TYPE_CHECKING:
    import pandas as pd

_SCRIPTS = ("at.js", "place.js", "draw.js", "parts.js", "stage.js")


class StageError(LabError):
    """The trace cannot be shown, or not like this."""


def stage(
    trace: Any, slow: float = 200, key: str | None = None, broker: str | None = None, noun: str = "Order"
) -> Stage:
    """The run once more, `slow` times slower, as moving events. Nothing moves until Play is pressed.

    trace: a Trace, a Result that has one, a table of rows (`Trace.to_frame()`), or rows.
    key: the subject that stands out; by default the first one with an anomaly, else the first one.
    broker: only this one of several. noun: what a key is.
    Raises StageError when there is nothing to replay, no such key, or `slow` is not above 0.
    """
    stamp = getattr(trace, "stamp", None)
    try:
        found = scenes.build(_rows(trace), broker, noun)
    except ValueError as error:
        raise StageError(_sentence(error), "give it the trace of a run whose clients wrote rows (`trace=`)") from error
    return Stage(found, slow, key, stamp() if callable(stamp) else "")


class Stage(anywidget.AnyWidget):
    """What `stage` returns. t: seconds since the first event. key: the chosen subject. slow, playing: as they say."""

    scene = traitlets.Dict().tag(sync=True)
    words = traitlets.Dict().tag(sync=True)
    labels: Any = traitlets.List().tag(sync=True)
    t = traitlets.Float(0.0).tag(sync=True)
    slow = traitlets.Float(200.0).tag(sync=True)
    playing = traitlets.Bool(False).tag(sync=True)
    key = traitlets.Unicode().tag(sync=True)
    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)

    def __init__(self, found: scenes.Scene, slow: float = 200, key: str | None = None, stamp: str = "") -> None:
        self.stamp = stamp
        chosen = found["keys"][found["start"]] if key is None else key
        super().__init__(
            scene=found,
            labels=[scenes.label(one, found["noun"]) for one in found["keys"]],
            words=scene_words.of_key(found, _number(found, chosen)),
            key=chosen,
            slow=float(_above_zero(slow)),
            _esm="\n".join(_beside(name) for name in _SCRIPTS),
            _css=_beside("stage.css"),
        )

    @property
    def at_s(self) -> float:
        """The clock: seconds since the first event."""
        return float(self.t)

    @at_s.setter
    def at_s(self, seconds: float) -> None:
        self.t = seconds

    @property
    def end_s(self) -> float:
        """The last moment, in seconds since the first event."""
        return float(self.scene["end_s"])

    @property
    def alt(self) -> str:
        """What happened to the chosen key, and what has just happened at `t`, in two sentences."""
        k = self.scene["keys"].index(self.key)
        return f"{self.words['title']}. At {drawn.clock(self.t)}: {scene_words.now(self.scene, k, self.t)}"

    def picture(self) -> drawn.Picture:
        """Three moments of the chosen key, one below the other."""
        return drawn.moments(self.scene, self.key, stamp=self.stamp)

    def png(self) -> bytes:
        """`picture` as PNG bytes."""
        return self.picture().png()

    @traitlets.validate("key")
    def _known(self, proposal: Any) -> str:
        _number(self.scene, proposal["value"])
        return str(proposal["value"])

    @traitlets.validate("slow")
    def _slower(self, proposal: Any) -> float:
        return float(_above_zero(proposal["value"]))

    @traitlets.validate("t")
    def _in_time(self, proposal: Any) -> float:
        return min(max(float(proposal["value"]), 0.0), float(self.scene["end_s"]) if self.scene else 0.0)

    @traitlets.observe("key")
    def _rephrase(self, change: Any) -> None:
        if self.scene:
            self.words = scene_words.of_key(self.scene, _number(self.scene, change["new"]))

    def __repr__(self) -> str:
        return f"The run in slow motion. {self.words['title']}."

    def _repr_mimebundle_(self, **asked: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """The live stage; and three moments as a picture, for a saved notebook that is read where no kernel runs."""
        live = super()._repr_mimebundle_(**asked)
        data: dict[str, Any] = dict(live[0]) if live else {}
        picture = self.picture()
        data["text/plain"], data["image/png"] = repr(self), picture.png()
        return data, {"image/png": {"width": SHOWN_PX, "alt": picture.alt}}


def _rows(trace: Any) -> Iterable[Row]:
    """The rows of whatever has some."""
    inner = getattr(trace, "trace", trace)
    if inner is None:
        raise ValueError("the result has no trace: there is nothing to replay")
    if hasattr(inner, "rows"):
        return list(inner.rows())
    if hasattr(inner, "itertuples"):
        return _of_table(inner)
    return [Row._make(row) for row in inner]


def _of_table(table: pd.DataFrame) -> list[Row]:
    missing = [name for name in Row._fields if name not in table.columns]
    if missing:
        raise ValueError(f"the table has no column {', '.join(missing)}: take it from Trace.to_frame()")
    return [Row._make(row) for row in table[list(Row._fields)].itertuples(index=False, name=None)]


def _number(found: scenes.Scene, key: str) -> int:
    if key not in found["keys"]:
        known = ", ".join(found["keys"][:6]) + (" …" if len(found["keys"]) > 6 else "")
        raise StageError(f"There is no event of {key!r} in this trace.", f"choose one of its keys: {known}")
    return int(found["keys"].index(key))


def _above_zero(slow: float) -> float:
    if not slow > 0:
        raise StageError(f"slow={slow} is no speed.", "1 is as it was, 200 is two hundred times slower")
    return slow


def _sentence(error: ValueError) -> str:
    return str(error)[:1].upper() + str(error)[1:] + "."


def _beside(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
