"""House rules of the lessons. Every notebook is held to them, also those that are still to come."""

import ast
import re
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import unquote

import pytest

from labkit.base.settings import course_root
from labkit.cli import notebook

FOLDER = course_root() / "notebooks"
LESSONS = sorted(FOLDER.glob("*.ipynb"))
SETUP_LINES, CELL_LINES, MEDIAN_LINES, MINUTES = 6, 15, 4, 60

pytestmark = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)


def test_there_is_a_lesson(path: Path) -> None:
    assert re.fullmatch(r"\d\d_[a-z0-9_]+", path.stem)


def markdown(path: Path) -> list[str]:
    return [cell.source for cell in notebook.read(path).cells if cell.cell_type == "markdown"]


def code(path: Path) -> list[Any]:
    return [cell for cell in notebook.read(path).cells if cell.cell_type == "code"]


def lines(cell: Any) -> int:
    return len([line for line in cell.source.splitlines() if line.strip()])


def items(path: Path, heading: str) -> list[list[str]]:
    """The numbered list under **heading**, each item as its words."""
    (cell,) = [text for text in markdown(path) if f"**{heading}**" in text]
    below = cell.split(f"**{heading}**")[1]
    return [re.findall(r"[a-z]+", item.lower()) for item in re.findall(r"^\d\. (.+)$", below, flags=re.M)]


def test_the_title_is_a_question(path: Path) -> None:
    title = markdown(path)[0].splitlines()[0]
    assert title.startswith(f"# {path.stem[:2]} · ")
    assert title.endswith("?")


def test_it_says_what_the_reader_will_do_and_how_long_it_takes(path: Path) -> None:
    assert 3 <= len(items(path, "You will")) <= 5
    (minutes,) = re.findall(r"\*\*You will\*\* \((\d+) minutes, [^)]+\)", markdown(path)[0])
    assert 5 <= int(minutes) <= MINUTES


def test_the_recap_mirrors_the_goals(path: Path) -> None:
    """The same items in the same order: most words come again, the verb in another form."""
    will, have = items(path, "You will"), items(path, "You have")
    assert len(will) == len(have)
    for goal, done in zip(will, have, strict=True):
        same = set(goal) & set(done)
        assert len(same) >= 0.6 * len(set(goal)), (goal, done)


def test_the_set_up_cell_is_short_and_starts_the_lab(path: Path) -> None:
    setup = code(path)[0]
    assert lines(setup) <= SETUP_LINES
    assert "lab.start(" in setup.source


def test_cells_are_small(path: Path) -> None:
    sizes = {cell.id: lines(cell) for cell in code(path)}
    assert [cell for cell, size in sizes.items() if size == 0] == []
    looks = {cell.id: len(cell.source.splitlines()) for cell in code(path)}  # blank lines take room too
    assert [cell for cell, size in looks.items() if size > CELL_LINES] == []
    assert median(sizes.values()) <= MEDIAN_LINES


def test_it_asserts_what_it_claims(path: Path) -> None:
    assert sum("assert " in cell.source for cell in code(path)) >= 3


def test_saved_outputs_may_be_committed(path: Path) -> None:
    assert notebook.check(path) == []


def test_every_picture_says_in_words_what_it_shows(path: Path) -> None:
    outputs = [output for cell in code(path) for output in cell.outputs]
    pictures = [output.data for output in outputs if "image/png" in output.get("data", {})]
    assert pictures
    assert [
        p["text/plain"][:40] for p in pictures if len(p["text/plain"]) < 60 or p["text/plain"].startswith("<")
    ] == []


def test_no_output_names_this_machine(path: Path) -> None:
    shown = [str(output) for cell in code(path) for output in cell.outputs]
    found = [text for text in shown if re.search(r"/(home|root|Users|work|tmp)/", text)]
    assert found == []


def test_links_resolve(path: Path) -> None:
    for text in markdown(path):
        for target in re.findall(r"\]\(([^)#]+)", text):
            if not target.startswith("https://"):
                assert (FOLDER / unquote(target)).exists(), target


def test_cells_have_names_and_not_numbers(path: Path) -> None:
    """A readable id stays the same when a cell is put before it, and a test's report says which cell it was."""
    ids = [cell.id for cell in notebook.read(path).cells]
    assert [name for name in ids if not re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", name)] == []
    assert len(set(ids)) == len(ids)


def claim_cells(path: Path) -> list[Any]:
    return [cell for cell in code(path) if any(tag.startswith("claim:") for tag in cell.metadata.get("tags", []))]


def test_a_claim_is_measured_asserted_and_told_in_one_line(path: Path) -> None:
    """The line goes into the README's table: short, a sentence, and with a number of this run in it."""
    for cell in claim_cells(path):
        tree = ast.parse(cell.source)
        assert any(isinstance(node, ast.Assert) and names(node.test) for node in ast.walk(tree)), cell.id
        last = "".join(output.get("text", "") for output in cell.outputs).splitlines()[-1]
        assert len(last) <= 100, (cell.id, last)
        assert re.search(r"\d", last), (cell.id, last)
        assert last.endswith("."), (cell.id, last)
        assert isinstance(tree.body[-1], ast.Expr), (cell.id, "the last thing it does is to print the line")
        assert any(isinstance(node, ast.FormattedValue) for node in ast.walk(tree.body[-1])), (cell.id, last)


def names(node: ast.AST) -> set[str]:
    """The variables in an expression: an assert on none of them could not fail."""
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def test_a_claim_comes_before_the_learner_breaks_anything(path: Path) -> None:
    """What the learner turns and writes further down must not decide whether a claim is shown."""
    ids = [cell.id for cell in notebook.read(path).cells]
    broken = [at for at, cell in enumerate(notebook.read(path).cells) if cell.source.startswith("## Break it")]
    assert [cell.id for cell in claim_cells(path) for at in broken if ids.index(cell.id) > at] == []


def test_every_number_to_bet_on_is_scored(path: Path) -> None:
    source = "\n".join(cell.source for cell in code(path))
    placed = re.findall(r"^(\w+) = bets\.(?:place|curve)\(", source, flags=re.M)
    assert placed
    assert [bet for bet in placed if f"{bet}.score(" not in source] == []


def test_its_end_leads_to_the_next_lesson(path: Path) -> None:
    after = [lesson for lesson in LESSONS if lesson.stem > path.stem]
    last = markdown(path)[-1]
    assert "**Next:** " in last
    if after:
        assert f"]({after[0].name})" in last
