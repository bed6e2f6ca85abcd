"""A slider's round trip: moved in a real browser, seen by Python, shown in the browser again."""

import importlib.util
import shutil

from labkit.base import browser, names
from labkit.base.errors import LabError
from labkit.base.settings import Settings
from labkit.doctor.finding import BAD, OK, WARN, Finding

NAME = "a widget in the browser"
WITHIN_MS = 20_000
_PROBE = """\
import ipywidgets as w
slider, seen = w.IntSlider(0, 0, 9), w.Label("python saw 0")
slider.observe(lambda change: setattr(seen, "value", f"python saw {change.new}"), "value")
w.VBox([slider, seen])"""


def round_trip(settings: Settings) -> Finding:
    """Open a notebook with a slider in a headless Chromium, press an arrow key, wait for Python's answer."""
    try:
        if browser.find() is None:
            return Finding(NAME, OK, "not tried: no Chromium here to try it with (your own browser will do)")
        if importlib.util.find_spec("playwright") is None:
            return Finding(
                NAME, OK, "not tried: playwright, which drives the browser, comes with `python3 -m labkit test`"
            )
        _try(settings)
    except LabError as error:
        return Finding(NAME, BAD, error.what, error.cure, "widget BAD")
    except Exception as error:  # whatever the browser or its driver raises is the finding
        first = str(error).strip().splitlines()[0][:160]
        return Finding(
            NAME, WARN, f"{type(error).__name__}: {first}", "try it by hand: `python -m labkit open`", "widget ?"
        )
    return Finding(NAME, OK, "a slider was moved, and Python answered", short="widget ok")


def _try(settings: Settings) -> None:
    from labkit.desk.page import NotebookPage, chromium, lab_server

    folder = settings.home / "work" / names.fresh("doctor")
    folder.mkdir(parents=True)
    try:
        with lab_server(folder) as lab, chromium() as driven:
            lab.write("probe.ipynb", _PROBE)
            opened = NotebookPage.open(driven, lab, "probe.ipynb")
            opened.run_all()
            opened.page.wait_for_selector("text=python saw 0", timeout=WITHIN_MS)
            opened.page.locator(".noUi-handle").focus()
            opened.page.keyboard.press("ArrowRight")
            opened.page.wait_for_selector("text=python saw 1", timeout=WITHIN_MS)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
