"""The stage in a real Chromium: a clock that runs, keys, a mouse, and a picture that says what the rows say."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import stage_runs
from playwright.sync_api import Browser
from stage_browser import CELL, StageOnPage

from labkit.base import wait
from labkit.desk.page import LabServer, NotebookPage
from labkit.measure import scene
from labkit.measure.scene import at as scene_at
from labkit.widgets import stage as widget

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

CROWD = """\
from labkit.events.rows import Row
from labkit.widgets.stage import stage

out = [Row(i * 10**6, "received", f"order-{i}", 1, f"e{i}", "q", -1, "packing", "rabbitmq") for i in range(9)]
s = stage(out, key="order-0")
s"""


@pytest.fixture(scope="module")
def lab(jupyter: LabServer) -> LabServer:
    jupyter.put(Path(stage_runs.__file__))
    (jupyter.root / stage_runs.FOLDER.name).mkdir()
    for name in stage_runs.NAMES:
        jupyter.put(stage_runs.file(name))
        (jupyter.root / stage_runs.file(name).name).rename(jupyter.root / stage_runs.FOLDER.name / f"{name}.jsonl.gz")
    jupyter.write("both.ipynb", CELL.format(name="both", slow=100))
    jupyter.write("thousand.ipynb", CELL.format(name="kafka_1000", slow=20))
    jupyter.write("crowd.ipynb", CROWD)
    return jupyter


@pytest.fixture(scope="module")
def seen() -> dict[str, list[str]]:
    """What the page asked for, and what it complained about."""
    return {"asked": [], "said": []}


@pytest.fixture(scope="module")
def page(browser: Browser, lab: LabServer, seen: dict[str, list[str]]) -> Iterator[NotebookPage]:
    opened = NotebookPage.open(browser, lab, "both.ipynb")
    opened.page.on("request", lambda request: seen["asked"].append(request.url))
    opened.page.on("console", lambda told: seen["said"].append(told.text) if told.type == "error" else None)
    opened.run_all()
    yield opened
    opened.close()


@pytest.fixture
def stage(page: NotebookPage) -> StageOnPage:
    found = StageOnPage(page)
    if found.ask("stage.model.get('playing')"):
        found.button("pause").click()
    found.button("back to the start").click()
    found.root.get_by_label("the chosen key").select_option(label="× Order 1")
    wait.until(lambda: found.title().startswith("Order 1:"), 20, "the stage is as it was at first")
    return found


def test_play_moves_the_clock_and_pause_stops_it(stage: StageOnPage) -> None:
    assert stage.t() == 0
    stage.button("play").click()
    wait.until(lambda: stage.t() > 0.005, 30, "the clock runs")
    stage.button("pause").click()
    stands = stage.t()
    painted = stage.ask("stage.frames")
    wait.until(lambda: stage.ask("stage.frames") > painted + 5, 20, "frames pass")
    assert stage.t() == stands
    assert stage.ask("stage.model.get('t')") == pytest.approx(stands, abs=0.1)


def test_play_stops_when_the_chosen_key_is_through_and_goes_on_to_the_end(stage: StageOnPage) -> None:
    through, end = stage.ask("stage.through"), stage.ask("stage.end")
    assert through < end, "others come after it"
    stage.root.get_by_label("the chosen key").focus()
    stage.ask("stage.go(stage.through - 0.002)")
    stage.button("play").click()
    wait.until(lambda: not stage.ask("stage.model.get('playing')"), 30, "it stops by itself")
    assert through < stage.t() < end
    wait.until(lambda: "Play on" in stage.button("play").inner_text(), 20, "the button says that there is more")
    stage.button("play").click()
    wait.until(lambda: stage.t() > through + 0.02, 30, "it goes on")
    stage.button("pause").click()


def test_the_keyboard_moves_the_clock(stage: StageOnPage) -> None:
    before = stage.ink()
    stage.scrub().focus()
    for _ in range(200):
        stage.page.keyboard.press("ArrowRight")
    moved = stage.t()
    assert moved == pytest.approx(stage.ask("stage.end") / 10, rel=0.05)
    wait.until(lambda: stage.ink() != before, 20, "the picture is another one")
    stage.page.keyboard.press("ArrowLeft")
    assert stage.t() < moved


def test_space_plays_and_the_notebook_stays_where_it_is(stage: StageOnPage, page: NotebookPage) -> None:
    stage.scrub().focus()
    stage.page.keyboard.press(" ")
    wait.until(lambda: stage.t() > 0, 20, "the clock runs")
    stage.page.keyboard.press(" ")
    assert not stage.ask("stage.model.get('playing')")
    assert page.problems() == []


def test_one_moment_further_is_the_next_thing_that_happens_to_the_key(stage: StageOnPage) -> None:
    times = [line[0] for line in stage.ask("stage.lines")]
    later = sorted({time for time in times if time > 0})
    for time in later[:3]:
        stage.button("the next moment of this key").click()
        assert stage.t() == pytest.approx(time)
    # The words follow a moment later: they change at most so often, for who hears them read out.
    wait.until(lambda: "(placed)" in stage.caption(), 20, "the words are those of the third moment")
    stage.button("the moment before, of this key").click()
    assert stage.t() == pytest.approx(later[1])


def test_another_key_has_another_title(stage: StageOnPage) -> None:
    stage.root.get_by_label("the chosen key").select_option(index=2)
    wait.until(lambda: stage.title().startswith("Order 3:"), 20, "the title is that of the other key")


def test_a_click_on_a_cell_chooses_its_key(stage: StageOnPage) -> None:
    stage.ask("stage.go(stage.end)")
    wait.until(lambda: stage.ask("!stage.dirty"), 20, "the last frame is painted")
    x, y, size, key = stage.ask("stage.painter.hits.find(hit => hit[3] !== stage.k)")
    stage.root.locator("canvas").click(position={"x": x + size / 2, "y": y + size / 2})
    wait.until(lambda: stage.title().startswith(f"Order {key + 1}:"), 20, "the title is that of the clicked key")


def test_whoever_wants_no_motion_gets_steps(stage: StageOnPage) -> None:
    stage.page.emulate_media(reduced_motion="reduce")
    try:
        times = {line[0] for line in stage.ask("stage.lines")}
        stage.button("play").click()
        wait.until(lambda: stage.t() > 0, 20, "a step was made")
        stage.button("pause").click()
        assert stage.t() in times
    finally:
        stage.page.emulate_media(reduced_motion="no-preference")


def test_the_kernel_and_the_page_show_the_same(stage: StageOnPage) -> None:
    stage.root.get_by_label("how much slower").select_option(label="500 × slower")
    wait.until(lambda: "500 × slower" in stage.root.inner_text(), 20, "the page says how slow it is")
    stage.root.get_by_label("how much slower").select_option(label="100 × slower")


def test_nothing_is_asked_of_the_network_and_nothing_complains(
    stage: StageOnPage, page: NotebookPage, seen: dict[str, list[str]]
) -> None:
    assert seen["asked"], "the notebook asks its own server: there is something to look at"
    outside = [url for url in seen["asked"] if "//127.0.0.1:" not in url and not url.startswith(("data:", "blob:"))]
    assert outside == []
    assert seen["said"] == []
    assert page.problems() == []


@pytest.mark.parametrize("name", ["both", "rabbitmq_nack", "kafka_spread"])
def test_the_browser_and_python_agree_where_every_event_is(page: NotebookPage, name: str) -> None:
    script = Path(widget.__file__).with_name("at.js").read_text("utf-8")
    found = scene.build(stage_runs.rows(name))
    times = [found["end_s"] * i / 60 for i in range(61)]
    for board in found["boards"]:
        there = page.page.evaluate(
            f"([board, times]) => {{ {script}; return times.map(t => spotsAt(board, t, 0.0025)); }}", [board, times]
        )
        here: list[list[Any]] = [[[i, *spot] for i, spot in scene_at.spots(board, t, 0.0025)] for t in times]
        assert sum(map(len, here)) > 100
        for mine, other in zip(here, there, strict=True):
            assert [[*m[:3], *m[4:]] for m in mine] == [[*o[:3], *o[4:]] for o in other]
            assert [m[3] for m in mine] == pytest.approx([o[3] for o in other])


def test_no_more_is_out_than_two_consumers_with_prefetch_1_may_hold(page: NotebookPage) -> None:
    script = Path(widget.__file__).with_name("at.js").read_text("utf-8")
    (board,) = scene.build(stage_runs.rows("rabbitmq_nack"))["boards"]
    times = sorted({time for cell in board["cells"] for time in scene.moments(cell)})
    counts = page.page.evaluate(
        f"([board, times]) => {{ {script}; return times.map(t => countsOf(spotsAt(board, t, 0.0025))); }}",
        [board, [time + nudge for time in times for nudge in (-1e-6, 0)]],
    )
    assert max(out for _, out in counts) == 2
    assert counts[-1] == [0, 0], "all is acknowledged"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1100, 620])
def test_it_fits_its_page_in_light_and_dark(
    browser: Browser, lab: LabServer, width: int, dark: bool, tmp_path: Path
) -> None:
    page = NotebookPage.open(browser, lab, "both.ipynb", width=width)
    page.theme("JupyterLab Dark" if dark else "JupyterLab Light")
    page.run_all()
    found = StageOnPage(page)
    wait.until(lambda: found.ask("stage.root.classList.contains('labkit-stage-dark')") is dark, 20, "it has its theme")
    box = found.root.bounding_box()
    canvas = found.root.locator("canvas").bounding_box()
    assert box is not None
    assert canvas is not None
    assert box["width"] <= 932
    assert canvas["x"] + canvas["width"] <= box["x"] + box["width"]
    folder = Path(os.environ.get("SCREENSHOTS", tmp_path))
    for i, part in enumerate((0.15, 0.4, 1)):
        found.ask(f"stage.go(stage.end * {part})")
        wait.until(lambda: found.ask("!stage.dirty"), 20, "it is painted")
        found.root.screenshot(path=str(folder / f"stage_{width}_{'dark' if dark else 'light'}_{i}.png"))
    page.theme("JupyterLab Light")
    page.close()


def test_a_name_that_is_cut_keeps_its_number(stage: StageOnPage) -> None:
    cut = [stage.ask(f"stage.painter.fit('warehouse {number}', 60, 13)") for number in (1, 12)]
    assert [name.split("…")[1] for name in cut] == [" 1", " 12"]
    assert stage.ask("stage.painter.fit('warehouse 1', 600, 13)") == "warehouse 1"


def test_the_chosen_keys_events_have_the_first_places_with_a_consumer(browser: Browser, lab: LabServer) -> None:
    page = NotebookPage.open(browser, lab, "crowd.ipynb")
    page.run_all()
    found = StageOnPage(page)
    found.ask("stage.go(stage.end)")
    wait.until(lambda: found.ask("!stage.dirty"), 20, "it is painted")
    first = "[...stage.painter.inBox].sort((a, b) => a[1][0] - b[1][0])[0][0]"
    assert found.ask("stage.painter.inBox.size") == 5, "no more fit, and nine are out"
    assert found.ask(first) == "0/0", "the chosen order's event, which was received before all others"
    page.close()


def test_a_thousand_events_are_painted_frame_by_frame(browser: Browser, lab: LabServer) -> None:
    page = NotebookPage.open(browser, lab, "thousand.ipynb")
    page.run_all()
    found = StageOnPage(page)
    assert found.ask("stage.scene.boards[0].cells.length") == 1000
    found.ask("stage.go(stage.end * 0.5)")
    painted = found.ask("stage.frames")
    found.button("play").click()
    wait.until(lambda: found.ask("stage.frames") > painted + 30, 30, "frames pass")
    cells = found.ask("stage.painter.hits.length")
    assert 30 < cells < 120, "as many cells as fit, and no thicket"
    sizes = found.ask("stage.painter.hits.map(hit => hit[2])")
    assert min(sizes) >= 18
    assert page.problems() == []
    page.close()
