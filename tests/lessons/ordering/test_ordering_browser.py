"""The panel of lesson 08 in a real Chromium, on the real brokers: what it says, and the run in slow motion below."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyter_browser import PanelOnPage
from jupyter_browser import panel as on_page
from playwright.sync_api import Browser, Locator

from labkit.base import wait
from labkit.desk.page import LabServer, NotebookPage

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

CELL = """\
from labkit import lab
from labkit.lessons.ordering.panel import ordering_panel

_ = lab.start()
board = ordering_panel(broker="rabbitmq")
board"""
OVERTAKEN = r"\d+ of 100 orders were handled out of order; order \d+ was \w+ [\d.]+ ms before \w+"


@pytest.fixture(scope="module")
def server(jupyter: LabServer) -> LabServer:
    jupyter.write("ordering.ipynb", CELL)
    return jupyter


@pytest.fixture(scope="module")
def said() -> list[str]:
    """What the page complained about in its console."""
    return []


@pytest.fixture(scope="module")
def page(browser: Browser, server: LabServer, said: list[str]) -> Iterator[NotebookPage]:
    opened = NotebookPage.open(browser, server, "ordering.ipynb")
    opened.page.on("console", lambda told: said.append(told.text) if told.type == "error" else None)
    opened.run_all()
    opened.page.wait_for_selector(".labkit-panel")
    yield opened
    opened.close()


@pytest.fixture
def board(page: NotebookPage, said: list[str]) -> PanelOnPage:
    said.clear()
    return on_page(page)


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    """Where screenshots go: a folder that stays, when one is named in the environment."""
    return Path(os.environ.get("SCREENSHOTS", tmp_path))


def sentence(board: PanelOnPage) -> str:
    return board.root.locator(".labkit-sentence").first.inner_text()


def stage(board: PanelOnPage) -> Locator:
    return board.root.locator(".labkit-below .labkit-stage")


def run_with(board: PanelOnPage, key: str) -> None:
    board.choose("key", key)
    board.run()


def test_without_a_key_the_sentence_names_an_order_that_broke_and_the_stage_shows_one(
    board: PanelOnPage, page: NotebookPage, said: list[str], shots: Path
) -> None:
    run_with(board, "none")
    assert re.match(OVERTAKEN, sentence(board)), sentence(board)
    assert "Cause: " in sentence(board)
    assert "Cure: " not in sentence(board), "the learner is to find it"
    stage(board).wait_for()
    wait.until(lambda: "overtakes" in stage(board).inner_text(), 20, "the stage tells which event overtakes which")
    page.screenshot(shots / "ordering_key_off.png")
    assert page.problems() == []
    assert said == []


def test_with_the_order_as_its_key_it_says_that_order_held(
    board: PanelOnPage, page: NotebookPage, said: list[str], shots: Path
) -> None:
    run_with(board, "none")
    broken = board.picture()
    run_with(board, "order")
    assert "Order held: all 100 orders were handled in order." in sentence(board)
    assert board.picture() != broken
    wait.until(lambda: "handled in order" in stage(board).inner_text(), 20, "the stage tells that order held")
    assert stage(board).count() == 1
    page.screenshot(shots / "ordering_key_on.png")
    assert page.problems() == []
    assert said == []


def test_the_stage_under_the_panel_plays(board: PanelOnPage) -> None:
    run_with(board, "none")
    clock = stage(board).locator("[role=slider], input[type=range]").first
    clock.wait_for()
    before = stage(board).inner_html()
    stage(board).locator("button", has_text="Play").or_(stage(board).get_by_label("Play")).first.click()
    wait.until(lambda: stage(board).inner_html() != before, 20, "something moves")


def test_two_runs_are_compared(board: PanelOnPage, page: NotebookPage, shots: Path) -> None:
    run_with(board, "none")
    run_with(board, "order")
    board.tick("compare")
    board.root.locator(".labkit-pair img").nth(1).wait_for()
    assert "last run" in board.words()
    page.screenshot(shots / "ordering_compared.png")
    board.tick("compare")


def test_a_seed_that_is_no_number_gives_its_cure_and_keeps_the_last_picture(
    board: PanelOnPage, page: NotebookPage
) -> None:
    run_with(board, "order")
    shown = board.picture()
    seed = board.root.locator(".widget-inline-hbox", has_text="seed").locator("input")
    seed.fill("abc")
    board.run()
    assert "The seed is 'abc': it must be a whole number." in board.words()
    assert "Cure: type one, for example 1" in board.words()
    assert board.picture() == shown
    seed.fill("2")
    board.run()
    assert page.problems() == []


def test_in_a_dark_page_the_menus_have_a_light_arrow(board: PanelOnPage, page: NotebookPage, shots: Path) -> None:
    select = board.root.locator("select").first
    arrow = "select => getComputedStyle(select).backgroundImage"
    before = select.evaluate(arrow)
    run_with(board, "none")
    page.page.set_viewport_size({"width": 900, "height": 1700})
    page.theme("JupyterLab Dark")
    wait.until(lambda: "eceef2" in str(select.evaluate(arrow)), 20, "the arrow is light")
    board.root.screenshot(path=str(shots / "ordering_dark_900.png"))
    page.theme("JupyterLab Light")
    wait.until(lambda: select.evaluate(arrow) == before, 20, "a light page has the arrow of ipywidgets")


def test_on_rabbitmq_the_stage_says_how_many_are_out_and_ends_with_none(
    board: PanelOnPage, page: NotebookPage, shots: Path
) -> None:
    run_with(board, "order")
    stage(board).wait_for()
    assert "acknowledged: gone" in stage(board).inner_text()
    find = "[...document.querySelectorAll('*')].find(element => element.stage).stage"
    page.page.evaluate(f"() => {{ const stage = {find}; stage.go(stage.end * 0.4); }}")
    board.root.screenshot(path=str(shots / "ordering_out.png"))
    acked, left = page.page.evaluate(f"""() => {{ const stage = {find}, board = stage.scene.boards[0];
        return [board.acked, board.cells.filter(cell => cell.trips.at(-1).a === null).length]; }}""")
    assert (acked, left) == (True, 0)
