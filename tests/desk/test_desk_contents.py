"""What JupyterLab opens: the learner's bet comes before the answer."""

import asyncio
import json
from pathlib import Path
from typing import Any

import nbformat

from labkit.base.settings import course_root
from labkit.cli import normalise
from labkit.desk.contents import BeforeTheRun


def lesson(folder: Path) -> Path:
    """A lesson as `freshen` stores it."""
    output = nbformat.v4.new_output("stream", name="stdout", text="measured was 7\n")
    cell = nbformat.v4.new_code_cell("print(bet.score(7))", id="score", execution_count=1, outputs=[output])
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("**Bet.**", id="bet"), cell])
    file = folder / "lesson.ipynb"
    file.write_text(normalise.text(normalise.normalise(made)))
    return file


def opened(manager: BeforeTheRun) -> Any:
    return asyncio.run(manager.get("lesson.ipynb", type="notebook"))["content"]


def test_a_lesson_opens_without_the_stored_outputs_and_its_file_stays_as_it_is(tmp_path: Path) -> None:
    before = lesson(tmp_path).read_text()
    assert "measured was 7" in before
    code = opened(BeforeTheRun(root_dir=str(tmp_path))).cells[1]
    assert (code.outputs, code.execution_count) == ([], None)
    assert code.source == "print(bet.score(7))"
    assert (tmp_path / "lesson.ipynb").read_text() == before


def test_what_a_learner_has_saved_is_there_when_the_lesson_is_opened_again(tmp_path: Path) -> None:
    lesson(tmp_path)
    manager = BeforeTheRun(root_dir=str(tmp_path))
    mine = opened(manager)
    mine.cells[1].outputs = [nbformat.v4.new_output("stream", name="stdout", text="measured was 8\n")]
    asyncio.run(manager.save({"type": "notebook", "content": mine}, "lesson.ipynb"))
    assert opened(manager).cells[1].outputs[0].text == "measured was 8\n"


def test_a_folder_a_file_and_a_model_without_content_are_given_as_they_are(tmp_path: Path) -> None:
    lesson(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    manager = BeforeTheRun(root_dir=str(tmp_path))
    assert {one["name"] for one in asyncio.run(manager.get(""))["content"]} == {"lesson.ipynb", "notes.txt"}
    assert asyncio.run(manager.get("notes.txt"))["content"] == "mine"
    assert asyncio.run(manager.get("lesson.ipynb", content=False))["content"] is None


def test_every_lesson_of_the_course_has_the_mark_that_its_outputs_are_the_courses() -> None:
    lessons = sorted((course_root() / "notebooks").glob("*.ipynb"))
    assert lessons
    assert all("labkit" in json.loads(one.read_text())["metadata"] for one in lessons)
