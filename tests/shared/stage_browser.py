"""The stage as its user has it, on a notebook's page in a real Chromium."""

from typing import Any

from playwright.sync_api import Locator

from labkit.base import wait
from labkit.desk.page import NotebookPage

CELL = """\
import stage_runs
from labkit.widgets.stage import stage

s = stage(stage_runs.rows("{name}"), slow={slow})
s"""
# The stage hangs on the element that it was rendered into.
_FIND = "[...document.querySelectorAll('*')].find(element => element.stage).stage"


class StageOnPage:
    """The first stage of an open notebook."""

    def __init__(self, page: NotebookPage) -> None:
        self.page = page.page
        self.root = self.page.locator(".labkit-stage").first
        self.root.wait_for()
        wait.until(lambda: self.title(), 20, "the stage has a title")

    def ask(self, expression: str) -> Any:
        """A JavaScript expression about `stage`."""
        return self.page.evaluate(f"() => {{ const stage = {_FIND}; return {expression}; }}")

    def t(self) -> float:
        return float(self.ask("stage.t"))

    def title(self) -> str:
        return self.root.locator(".labkit-stage-title").inner_text()

    def caption(self) -> str:
        return self.root.locator(".labkit-stage-caption").inner_text()

    def button(self, name: str) -> Locator:
        return self.root.get_by_role("button", name=name, exact=True)

    def scrub(self) -> Locator:
        return self.root.get_by_role("slider", name="time")

    def ink(self) -> str:
        """What is on the canvas, as text that differs when the picture does."""
        return str(self.root.locator("canvas").evaluate("canvas => canvas.toDataURL()"))
