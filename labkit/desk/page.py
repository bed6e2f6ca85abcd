"""A notebook in JupyterLab, looked at and used through a real Chromium. For the tests, and for the doctor.

with lab_server(folder) as lab, chromium() as browser:
    lab.put(course_root() / "notebooks" / "00_start_here.ipynb")
    page = NotebookPage.open(browser, lab, "00_start_here.ipynb")
    page.run_all()
    assert page.problems() == []
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from labkit.base import browser as installed
from labkit.base import patience, ports, settings
from labkit.base.errors import SetupError
from labkit.desk.jupyter import Server

FLAGS = (
    "--no-sandbox",  # Chromium as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
STEP_WITHIN_S, KERNEL_WITHIN_S, CELLS_WITHIN_S = 30, 60, 180

# The connection, not the idle icon: with the icon alone a run can meet a "Select Kernel" dialog.
_READY = """() => {
    const context = window.jupyterapp?.shell?.currentWidget?.sessionContext;
    const kernel = context?.session?.kernel;
    return context?.isReady && kernel?.connectionStatus === 'connected' && kernel?.status === 'idle';
}"""
# The arrow function returns nothing: a promise of `execute` that comes back through `evaluate` hangs.
_EXECUTE = "command => { window.jupyterapp.commands.execute(command); }"
_CELLS = """() => window.jupyterapp.shell.currentWidget.content.widgets
    .filter(cell => cell.model.type === 'code')
    .map(cell => ({
        id: cell.model.id,
        source: cell.model.sharedModel.getSource(),
        count: cell.model.executionCount,
        running: cell.model.executionState === 'running',
        outputs: cell.model.outputs.toJSON(),
    }))"""


class LabServer:
    """A running JupyterLab that shows a folder of its own: what a browser saves does not touch the course."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self.root.mkdir()
        home = folder / "home"
        self._quiet(home / "jupyter" / "config" / "lab" / "user-settings")
        found = settings.Settings(home=home, cache=settings.read().cache)
        self._server = Server(found, "127.0.0.1", ports.free(1)[0], root=self.root)

    def put(self, *files: Path) -> None:
        """Copy files into the folder that JupyterLab shows."""
        for file in files:
            shutil.copy(file, self.root / file.name)

    def write(self, name: str, *cells: str) -> None:
        """A notebook of these code cells. It names its kernel: JupyterLab asks for one otherwise."""
        kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
        code: list[dict[str, Any]] = [
            {"cell_type": "code", "id": f"c{i}", "metadata": {}, "execution_count": None, "outputs": [], "source": cell}
            for i, cell in enumerate(cells)
        ]
        notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": kernel, "cells": code}
        (self.root / name).write_text(json.dumps(notebook), encoding="utf-8")

    def address(self, notebook: str) -> str:
        """The notebook alone on the page: lighter than the whole JupyterLab."""
        return self._server.address(notebook).replace("/lab/tree/", "/doc/tree/", 1)

    def await_ready(self) -> None:
        self._server.await_ready()

    def stop(self) -> None:
        self._server.stop()

    @staticmethod
    def _quiet(folder: Path) -> None:
        """No saving by itself in the middle of a test."""
        file = folder / "@jupyterlab" / "docmanager-extension" / "plugin.jupyterlab-settings"
        file.parent.mkdir(parents=True)
        file.write_text('{"autosave": false}\n')


@contextmanager
def lab_server(folder: Path) -> Iterator[LabServer]:
    server = LabServer(folder)
    try:
        server.await_ready()
        yield server
    finally:
        server.stop()


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless Chromium with an empty profile. Raises SetupError where there is none."""
    program = installed.find()
    if program is None:
        raise SetupError("There is no Chromium on this machine.", installed.CURE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(program), args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


class NotebookPage:
    """An open notebook in the browser."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.thrown: list[str] = []  # what the page's own scripts threw
        page.set_default_timeout(patience.seconds(STEP_WITHIN_S) * 1000)
        page.on("pageerror", lambda error: self.thrown.append(str(error)))

    @classmethod
    def open(
        cls, browser: Browser, lab: LabServer, notebook: str, width: int = 1100, dark: bool = False
    ) -> "NotebookPage":
        """Open it and wait for its kernel."""
        opened = cls(browser.new_page(viewport={"width": width, "height": 1300}))
        opened.page.goto(lab.address(notebook))
        opened.page.wait_for_selector(".jp-NotebookPanel .jp-Cell", timeout=patience.seconds(KERNEL_WITHIN_S) * 1000)
        if dark:
            opened.theme("JupyterLab Dark")
        opened.page.wait_for_function(_READY, timeout=patience.seconds(KERNEL_WITHIN_S) * 1000)
        return opened

    def theme(self, name: str) -> None:
        self.page.evaluate(
            "name => { window.jupyterapp.commands.execute('apputils:change-theme', {theme: name}); }", name
        )
        light = "false" if "Dark" in name else "true"
        self.page.wait_for_selector(f"body[data-jp-theme-light='{light}']", state="attached")

    def run_all(self, within_s: float = CELLS_WITHIN_S) -> None:
        """Run every cell and wait until the last has ended, or until one has failed: JupyterLab stops there."""
        self.page.evaluate(_EXECUTE, "notebook:run-all-cells")
        self.page.wait_for_function(
            f"""() => {{
                const cells = ({_CELLS})();
                const failed = cells.some(cell => cell.outputs.some(output => output.output_type === 'error'));
                const through = cells.every(cell => cell.count !== null || cell.source.trim() === '');
                return ({_READY})() && !cells.some(cell => cell.running) && (failed || through);
            }}""",
            timeout=patience.seconds(within_s) * 1000,
        )

    def clear_outputs(self) -> None:
        """Forget what was saved, so that what one sees afterwards is new."""
        self.page.evaluate(_EXECUTE, "notebook:clear-all-cell-outputs")
        self.page.wait_for_function(f"() => ({_CELLS})().every(cell => cell.outputs.length === 0)")

    def cells(self) -> list[dict[str, Any]]:
        """The code cells with their outputs, also those that are scrolled out of sight."""
        found: list[dict[str, Any]] = self.page.evaluate(_CELLS)
        return found

    def problems(self) -> list[str]:
        """Whatever a reader would not want to see: errors of cells, words on stderr, broken widgets, thrown errors."""
        found = list(self.thrown)
        for cell in self.cells():
            for output in cell["outputs"]:
                if output["output_type"] == "error":
                    found.append(f"{cell['id']}: {output['ename']}: {output['evalue']}")
                if output.get("name") == "stderr":
                    found.append(f"{cell['id']} wrote to stderr: {json.dumps(output['text'])[:200]}")
        found += self.page.locator("text=/Error displaying widget|Loading widget/").all_inner_texts()
        found += self.page.locator(".labkit-error").all_inner_texts()
        return found

    def pictures(self) -> list[str]:
        """The ids of the cells that show a picture."""
        return [
            cell["id"]
            for cell in self.cells()
            if any("image/png" in output.get("data", {}) for output in cell["outputs"])
        ]

    def screenshot(self, file: Path) -> Path:
        """What is in sight."""
        file.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=str(file))
        return file

    def shoot_whole(self, folder: Path, name: str) -> list[Path]:
        """The whole notebook, a page after the other."""
        outer = ".jp-WindowedPanel-outer"
        high = self.page.evaluate(f"() => document.querySelector('{outer}').scrollHeight")
        step, files = 1150, []
        for number, top in enumerate(range(0, max(high, 1), step)):
            self.page.evaluate(f"() => {{ document.querySelector('{outer}').scrollTop = {top}; }}")
            self.page.wait_for_timeout(700)  # cells outside the window are put in while one scrolls
            files.append(self.screenshot(folder / f"{name}_{number:02}.png"))
        return files

    def close(self) -> None:
        self.page.close()
