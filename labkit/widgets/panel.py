"""`panel`: any experiment with controls, a Run button, its picture and its sentence.

panel(coupling.run, plot=plots.checkout)

Without a browser the same panel works from code: set `panel.controls["outage"].value`, then call `panel.run()`.
"""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError
from typing import Any

import ipywidgets
from matplotlib.figure import Figure

from labkit.base.checkpoint import reporting
from labkit.base.errors import NotInTimeError
from labkit.harness.labels import Label
from labkit.plots.style import SHOWN_PX, Picture
from labkit.widgets import controls, render
from labkit.widgets.below import Below, WidgetFactory
from labkit.widgets.controls import PanelError
from labkit.widgets.throttle import Throttle
from labkit.widgets.watched import Watched

Run = Callable[..., Any]
Plot = Callable[[Any], Picture | Figure]
Words = Mapping[str, str]
_SETTLE_S = 0.15
_READY = "Set the controls, then press Run."
_CHANGED = "The controls have changed. Press Run to see what they do."


def panel(
    run: Run, plot: Plot | None = None, labels: Words | None = None, below: WidgetFactory | None = None,
    **overrides: Any,
) -> "Panel":  # fmt: skip
    """Controls for `run`, as `ipywidgets.interact` makes them, but nothing runs until Run is pressed.

    run: a function that returns a Result. What it declares with `@experiment` has a control, unless
        `functools.partial` has fixed it. Its checkpoints say how far it is, and end it when Cancel was pressed; when
        it takes `progress` or `cancelled`, it is handed what they use: a function, and a `threading.Event`.
    plot: draws the result: a Picture, or a Figure.
    overrides: controls, also in place of declared ones. (low, high) or (low, high, step) makes a slider, True or
        False a box to tick, a list or {label: value} a menu, a string a text field. They begin at the default of `run`.
    labels: other words for a control than its name gives. below: makes a widget from every result (`below=stage`).
    Raises PanelError when `run` does not take a control, or misses something.
    """
    return Panel(run, plot, overrides, labels or {}, below)


class Panel:
    """What `panel` returns. `controls`: name -> widget. `result`: of the last run that came to its end, or None."""

    def __init__(
        self, run: Run, plot: Plot | None, overrides: Mapping[str, Any], labels: Words, below: WidgetFactory | None
    ) -> None:
        self.controls, self._labels = controls.make(run, overrides)
        for name, text in labels.items():
            if name not in self.controls:
                raise PanelError(f"labels names {name}, and there is no such control.", "give it a control")
            self._labels[name] = Label(text, percent=self._labels[name].percent)
            self.controls[name].description = text
        self.error: BaseException | None = None
        self._experiment, self._plot, self._below = run, plot, Below(below)
        self._takes = [name for name in controls.HANDED_IN if name in controls.parameters(run)]
        self._now: render.Shown | None = None
        self._before: render.Shown | None = None
        self._at_work = threading.Lock()  # one run at a time
        self._says = threading.RLock()  # what the panel says: a click and the end of a run can meet
        self._cancelled = threading.Event()
        self._looks = Watched(self._cancelled)
        self._thread: threading.Thread | None = None
        self._build()

    @property
    def result(self) -> Any:
        return self._now.result if self._now else None

    @property
    def below(self) -> Any:
        """The widget under the picture, or None."""
        return self._below.widget

    def values(self) -> dict[str, Any]:
        """What the controls stand at."""
        return {name: widget.value for name, widget in self.controls.items()}

    def run(self) -> Any:
        """Run with the values of the controls, here and now, and return the result. Its errors are raised."""
        if not self._at_work.acquire(blocking=False):
            raise PanelError("This panel is at work already.", "wait for it, or press Cancel")
        self._begin()
        self._work(self.values())
        if self.error is not None:
            raise self.error
        return self.result

    def start(self) -> None:
        """Run in the background, as the Run button does. Does nothing while a run is under way."""
        if not self._at_work.acquire(blocking=False):
            return
        self._begin()
        self._thread = threading.Thread(target=lambda: self._work(self._settled()), name="panel", daemon=True)
        self._thread.start()

    def cancel(self) -> None:
        """Ask the run to stop. The last result stays."""
        with self._says:
            if not self._at_work.locked():
                return
            self.cancel_button.disabled = True
            stops = "cancelled" in self._takes or self._looks.was_seen
            self._status.value = render.status("Stopping …" if stops else "It ends by itself, and is thrown away.")
            self._cancelled.set()  # the last thing: a quick run ends at once, and has the last word

    def wait(self, within_s: float = 60) -> None:
        """Wait until the run in the background has ended. Raises NotInTimeError."""
        if self._thread is not None:
            self._thread.join(within_s)
            if self._thread.is_alive():
                raise NotInTimeError(f"The panel's run did not end within {within_s:g} s.", "press Cancel")

    def _settled(self) -> dict[str, Any]:
        """The values once they stand still: a busy browser sends a slider's last moves after the click on Run."""
        seen, values = None, self.values()
        while values != seen and not self._cancelled.wait(_SETTLE_S):
            seen, values = values, self.values()
        return values

    def _begin(self) -> None:
        self._cancelled.clear()
        self._looks = Watched(self._cancelled)
        self.error = None
        self.run_button.disabled = True
        self.cancel_button.disabled = False
        self.cancel_button.layout.display = ""
        self._box.add_class("labkit-busy")
        self._status.value = render.status("Running …", busy=True)

    def _work(self, values: dict[str, Any]) -> None:
        """One run, from its start to its picture. Its error is kept in `self.error` and shown; nothing is raised."""
        tell = Throttle(self._tell)
        closing = ""
        try:
            self._run_once(values, tell)
        except CancelledError as stopped:
            closing = "Cancelled. What you see is the run before it." if self._now else "Cancelled."
            self.error = stopped
        except BaseException as problem:  # also KeyboardInterrupt: whoever called `run` gets it back
            self.error, closing = problem, "The run ended with an error."
            self._cancelled.set()
        finally:
            tell.stop()
            self._end(closing)

    def _run_once(self, values: dict[str, Any], tell: Throttle) -> None:
        handed: dict[str, Any] = {"progress": tell.progress, "cancelled": self._cancelled}
        begun_s = time.monotonic()
        with reporting(tell.progress, self._looks):
            found = self._experiment(**values, **{name: handed[name] for name in self._takes})
        if self._cancelled.is_set():
            raise CancelledError("the run was cancelled")
        took_s = time.monotonic() - begun_s
        tell(None, "Drawing …")
        png, alt = self._draw(found)
        self._below.show(found)
        self._before, self._now = self._now, render.Shown(found, png, alt, values, took_s)

    def _draw(self, found: Any) -> tuple[bytes | None, str]:
        if self._plot is None:
            return None, ""
        drawn = self._plot(found)
        picture = Picture(drawn, render.sentence(found)) if isinstance(drawn, Figure) else drawn
        return picture.png(), picture.alt

    def _tell(self, done: float | None, words: str) -> None:
        with self._says:
            if not self._cancelled.is_set():
                self._status.value = render.status(words, done, busy=True)

    def _end(self, closing: str) -> None:
        with self._says:
            try:
                self._show()
            except Exception as problem:  # a strange result must not leave the panel "at work" forever
                self.error, closing = problem, "The result cannot be shown."
                self._out.value = render.error(problem)
            self._status.value = render.status(closing or self._standing())
            self._box.remove_class("labkit-busy")
            self.cancel_button.layout.display = "none"
            self.run_button.disabled = False
            self._at_work.release()

    def _show(self) -> None:
        self.compare.layout.display = "" if self._before else "none"
        shown = ""
        if self.error is not None and not isinstance(self.error, CancelledError):
            shown = render.error(self.error)
        if self._now is not None:
            shown += render.result(self._now, self._labels, self._before if self.compare.value else None)
        self._out.value = shown

    def _build(self) -> None:
        wide = max([len(str(one.description)) for one in self.controls.values()], default=0)
        for widget in self.controls.values():
            widget.style.description_width = f"{min(max(0.56 * wide + 1, 5), 15):.1f}em"
            widget.layout.width = "auto"
            widget.observe(self._on_change, names="value")
        self.run_button = ipywidgets.Button(description="Run", icon="play", button_style="primary")
        self.cancel_button = ipywidgets.Button(description="Cancel", icon="stop")
        self.compare = ipywidgets.Checkbox(value=False, description="compare with the last run", indent=False)
        for button in (self.run_button, self.cancel_button):
            button.layout.width = "92px"
        self.cancel_button.layout.display = self.compare.layout.display = "none"
        self.compare.layout.width = "auto"
        self._status = ipywidgets.HTML(render.status(_READY)).add_class("labkit-status")
        self._out = ipywidgets.HTML().add_class("labkit-out")
        columns = ipywidgets.Layout(grid_template_columns="repeat(auto-fit, minmax(300px, 1fr))", grid_gap="2px 32px")
        row = ipywidgets.HBox([self.run_button, self.cancel_button, self._status, self.compare]).add_class("labkit-row")
        grid = ipywidgets.GridBox(list(self.controls.values()), layout=columns)
        self._box = ipywidgets.VBox([ipywidgets.HTML(render.style()), grid, row, self._out, self._below.box])
        self._box.add_class("labkit-panel")
        self.run_button.on_click(lambda _: self.start())
        self.cancel_button.on_click(lambda _: self.cancel())
        self.compare.observe(lambda _: self._show(), names="value")

    def _on_change(self, _: Any) -> None:
        with self._says:
            if self._now is not None and not self._at_work.locked():
                self._status.value = render.status(self._standing())

    def _standing(self) -> str:
        """Whether what is shown is what the controls say."""
        return _CHANGED if self._now is not None and self._now.values != self.values() else ""

    def __repr__(self) -> str:
        told = f"A panel with controls for {', '.join(one.words for one in self._labels.values()) or 'nothing'}."
        return told if self._now is None else f"{told} {self._now.alt or render.sentence(self.result)}"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        """The live panel; and its last picture, for a saved notebook that is read where no kernel runs."""
        data: dict[str, Any] = dict(self._box._repr_mimebundle_() or {})
        data["text/plain"] = repr(self)
        if self._now is None or self._now.png is None:
            return data, {}
        data["image/png"] = self._now.png
        return data, {"image/png": {"width": SHOWN_PX, "alt": self._now.alt}}
