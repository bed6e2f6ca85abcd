"""The panel as its user has it, on a notebook's page in a real Chromium. The page itself: `labkit.desk.page`."""

import re

from playwright.sync_api import Locator, Page

from labkit.base import wait
from labkit.desk.page import NotebookPage

# The notebook takes cells that are out of sight out of the page: bring the cell with a widget back first.
_BRING = """() => {
    const content = window.jupyterapp.shell.currentWidget.content;
    const hasWidget = output => 'application/vnd.jupyter.widget-view+json' in (output.data ?? {});
    const index = content.widgets.findIndex(cell => cell.model.outputs?.toJSON().some(hasWidget));
    if (index >= 0) content.scrollToItem(index, 'start');
    return index;
}"""


def has_panel(page: NotebookPage) -> bool:
    """Whether a cell of the notebook shows a widget. It is scrolled to, if so."""
    return bool(page.page.evaluate(_BRING) >= 0)


def panel(page: NotebookPage) -> "PanelOnPage":
    """The first panel of the notebook."""
    assert has_panel(page)
    found = page.page.locator(".labkit-panel").first
    found.wait_for()
    return PanelOnPage(page.page, found)


class PanelOnPage:
    """A panel as its user has it: a slider to move, a button to press, a picture to look at."""

    def __init__(self, page: Page, root: Locator) -> None:
        self._page = page
        self.root = root

    def slide(self, label: str, steps: int) -> str:
        """Move a slider by so many steps with the arrow keys. Returns what it then shows."""
        row = self._slider(label)
        row.locator(".noUi-handle").focus()
        for _ in range(abs(steps)):
            self._page.keyboard.press("ArrowRight" if steps > 0 else "ArrowLeft")
        return row.locator(".widget-readout").inner_text()

    def slide_to_end(self, label: str) -> None:
        """Move a slider to its right end: one move, which no click overtakes."""
        self._slider(label).locator(".noUi-handle").focus()
        self._page.keyboard.press("End")

    def tick(self, label: str) -> None:
        self.root.locator("label", has_text=label).locator("input[type=checkbox]").click()

    def choose(self, label: str, option: str) -> None:
        self._row(label).locator("select").select_option(option)

    def press(self, button: str) -> None:
        self.root.locator("button", has_text=button).click()

    def run(self, within_s: float = 60) -> None:
        """Press Run and wait for another picture or an error. Once more when the panel says that a slider's last
        moves came too late: on a busy machine the front end holds them back, and the click overtakes them."""
        before = self.state()
        while True:
            self.press("Run")
            wait.until(lambda: not self.busy() and self.state() != before, within_s, "the panel shows another run", 0.1)
            if "controls have changed" not in self.words():
                return

    def busy(self) -> bool:
        return bool(re.search(r"\blabkit-busy\b", self.root.get_attribute("class") or ""))

    def state(self) -> str:
        """Everything below the buttons, the pictures' bytes too."""
        return self.root.locator(".labkit-out").inner_html()

    def picture(self) -> str:
        """The picture as the browser got it."""
        return self.root.locator(".labkit-out img").last.get_attribute("src") or ""

    def words(self) -> str:
        return self.root.inner_text()

    def _slider(self, label: str) -> Locator:
        """The slider of that label; the first one for an empty label."""
        handle = self._page.locator(".noUi-handle")
        return self.root.locator(".widget-inline-hbox", has_text=label, has=handle).first

    def _row(self, label: str) -> Locator:
        return self.root.locator(".widget-inline-hbox", has_text=label).first
