"""Lessons and the panel in a real Chromium, the way a learner has them before the eyes."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import toy_experiment
from jupyter_browser import has_panel
from jupyter_browser import panel as on_page
from playwright.sync_api import Browser

from labkit.base import wait
from labkit.base.settings import course_root
from labkit.desk.page import LabServer, NotebookPage

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

LESSONS = sorted((course_root() / "notebooks").glob("*.ipynb"))

TOY = """\
import toy_experiment as toy
from labkit.widgets.panel import panel

panel(toy.run, toy.draw, delay_ms=(0, 500, 50), workers=(0, 8), steps=(5, 5000), keyed=True)"""


@pytest.fixture
def lab(jupyter: LabServer) -> LabServer:
    jupyter.put(Path(toy_experiment.__file__))
    jupyter.write("toy.ipynb", TOY)
    jupyter.write("broken.ipynb", "import sys; print('oh', file=sys.stderr)", "1 / 0", "'never'")
    return jupyter


@pytest.fixture
def shots(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Where screenshots go: a folder that stays, when one is named in the environment."""
    return Path(os.environ.get("SCREENSHOTS", tmp_path)) / request.node.name.replace("[", "_").rstrip("]")


@pytest.fixture
def toy(browser: Browser, lab: LabServer) -> Iterator[NotebookPage]:
    page = NotebookPage.open(browser, lab, "toy.ipynb")
    page.run_all()
    page.page.wait_for_selector(".labkit-panel")
    yield page
    page.close()


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_runs_from_top_to_bottom_and_shows_its_pictures(
    browser: Browser, lab: LabServer, path: Path, shots: Path
) -> None:
    lab.put(path)
    page = NotebookPage.open(browser, lab, path.name)
    page.clear_outputs()
    assert page.pictures() == []
    page.run_all()
    page.shoot_whole(shots, path.stem)
    assert page.problems() == []
    assert page.pictures()
    if has_panel(page):
        drive(page, shots)
    page.close()


def drive(page: NotebookPage, shots: Path) -> None:
    """Move the first slider of the lesson's panel and press Run: another picture, and no error."""
    panel = on_page(page)
    before = panel.picture()
    panel.slide_to_end("")
    panel.run()
    page.screenshot(shots / "panel_after.png")
    assert panel.picture() != before
    assert page.problems() == []


def test_an_error_and_words_on_stderr_are_seen(browser: Browser, lab: LabServer) -> None:
    """Or else the test above would say nothing."""
    page = NotebookPage.open(browser, lab, "broken.ipynb")
    page.run_all()
    first, second = page.problems()
    assert "stderr" in first
    assert "ZeroDivisionError" in second
    page.close()


def test_a_moved_slider_and_run_change_the_picture(toy: NotebookPage, shots: Path) -> None:
    panel = on_page(toy)
    panel.run()
    first = panel.picture()
    assert first.startswith("data:image/png;base64,")
    assert panel.slide("delay", 3) == "250"
    wait.until(lambda: "controls have changed" in panel.words(), 10, "the panel says that its controls have changed")
    assert panel.picture() == first
    panel.run()
    toy.screenshot(shots / "panel.png")
    assert panel.picture() != first
    assert "62.5 ms" in panel.words()
    assert toy.problems() == []


def test_two_runs_stand_side_by_side(toy: NotebookPage, shots: Path) -> None:
    panel = on_page(toy)
    panel.run()
    panel.tick("keyed")
    panel.run()
    panel.tick("compare")
    panel.root.locator(".labkit-pair img").nth(1).wait_for()
    toy.screenshot(shots / "compared.png")
    assert "keyed yes" in panel.words()
    assert "… and 2 more like these" in panel.words()


def test_a_click_on_one_of_two_pictures_makes_both_as_large_as_the_panel_and_another_click_small(
    toy: NotebookPage, shots: Path
) -> None:
    panel = on_page(toy)
    panel.run()
    panel.tick("keyed")
    panel.run()
    panel.tick("compare")
    pictures = panel.root.locator(".labkit-pair img")
    pictures.nth(1).wait_for()

    def wide() -> list[float]:
        return pictures.evaluate_all("all => all.map(one => one.getBoundingClientRect().width)")  # type: ignore[no-any-return]

    small = wide()
    pictures.nth(1).click()
    wait.until(lambda: min(wide()) > 1.9 * max(small), 10, "both are large")
    toy.screenshot(shots / "compared_large.png")
    pictures.nth(0).click()
    wait.until(lambda: wide() == small, 10, "both are small again")


def test_a_run_can_be_cancelled_half_way(toy: NotebookPage) -> None:
    panel = on_page(toy)
    panel.run()
    first = panel.picture()
    panel.slide_to_end("steps")
    panel.press("Run")
    panel.root.locator("[role=progressbar]").wait_for()
    wait.until(lambda: re.search(r"step \d+ of 5000", panel.words()), 20, "it is on its way")
    panel.press("Cancel")
    wait.until(lambda: not panel.busy() and "Cancelled" in panel.words(), 20, "it has stopped")
    assert panel.picture() == first
    assert toy.problems() == []


def test_the_cure_of_an_error_stands_in_the_panel(toy: NotebookPage) -> None:
    panel = on_page(toy)
    panel.slide("workers", -4)
    panel.run()
    assert "Cure: take at least one worker" in panel.words()
    assert len(toy.problems()) == 1
