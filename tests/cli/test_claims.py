"""Every claim of the lessons that exist is shown by a cell that measures and asserts it."""

from pathlib import Path
from typing import Any

import nbformat
import pytest

from labkit.base.errors import LabError
from labkit.base.settings import course_root
from labkit.cli import claims

NOTEBOOKS = sorted((course_root() / "notebooks").glob("*.ipynb"))

KNOWN = {
    "slow": claims.Claim("slow", "A slow service makes its caller slow", ("01",)),
    "kept": claims.Claim("kept", "An event | stays", ("01", "05")),
}


def notebook(path: Path, *cells: tuple[str, str, str]) -> Path:
    """A notebook of (tag, source, printed)."""
    made = nbformat.v4.new_notebook()
    for number, (tag, source, printed) in enumerate(cells):
        cell: Any = nbformat.v4.new_code_cell(source, id=f"cell-{number}", metadata={"tags": [tag]})
        if printed:
            cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=printed)]
        made.cells.append(cell)
    nbformat.write(made, path)
    return path


def test_all_claims_are_there_with_their_lessons() -> None:
    found = claims.load()
    assert len(found) == 29
    assert [one.slug for one in found.values() if not one.lessons or not one.sentence] == []
    assert {lesson for one in found.values() for lesson in one.lessons} <= {f"{n:02}" for n in range(16)}


def test_every_claim_of_the_lessons_that_exist_has_its_cell_with_an_assert() -> None:
    assert NOTEBOOKS
    cells = claims.find(NOTEBOOKS)
    assert claims.complaints(claims.load(), cells, {path.stem[:2] for path in NOTEBOOKS}) == []


def test_the_table_in_the_readme_is_what_the_saved_notebooks_say() -> None:
    readme = (course_root() / "README.md").read_text("utf-8")
    assert claims.put(readme, claims.table(claims.load(), claims.find(NOTEBOOKS))) == readme


def test_the_last_line_that_a_cell_prints_stands_in_the_table(tmp_path: Path) -> None:
    path = notebook(tmp_path / "01_a.ipynb", ("claim:slow", "assert True", "first\n300 ms > 5 ms\n\n"))
    cells = claims.find([path])
    assert claims.complaints(KNOWN, cells, {"00"}) == []
    shown = claims.table(KNOWN, cells)
    assert "| A slow service makes its caller slow | [01](notebooks/01_a.ipynb) | 300 ms \\> 5 ms |" in shown
    assert shown.endswith("1 more claims wait for their lessons.")


def test_a_claim_that_two_cells_show_has_one_row(tmp_path: Path) -> None:
    one = notebook(tmp_path / "01_a.ipynb", ("claim:kept", "assert True", "10 of 10"))
    two = notebook(tmp_path / "05_b.ipynb", ("claim:kept", "assert True", "20 of 20"))
    shown = claims.table(KNOWN, claims.find([one, two]))
    assert (
        "| An event \\| stays | [01](notebooks/01_a.ipynb), [05](notebooks/05_b.ipynb) | 10 of 10<br>20 of 20 |"
        in shown
    )


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        (("claim:slow", "print(1)  # assert", "1"), "nothing is asserted"),
        (("claim:slow", "assert True", ""), "prints no last line"),
        (("claim:slaw", "assert True", "1"), "there is no such claim"),
    ],
)
def test_a_cell_that_does_not_show_its_claim_is_named(tmp_path: Path, cell: tuple[str, str, str], words: str) -> None:
    (wrong,) = claims.complaints(KNOWN, claims.find([notebook(tmp_path / "01_a.ipynb", cell)]), set())
    assert words in wrong
    assert "01_a.ipynb, cell cell-0" in wrong


def test_a_claim_in_the_wrong_lesson_is_named(tmp_path: Path) -> None:
    path = notebook(tmp_path / "02_a.ipynb", ("claim:slow", "assert True", "1"))
    (wrong,) = claims.complaints(KNOWN, claims.find([path]), set())
    assert "belongs to lesson 01" in wrong


def test_a_lesson_that_does_not_show_its_claim_is_named() -> None:
    wrong = claims.complaints(KNOWN, [], ["01"])
    assert [text.split(":")[0] for text in wrong] == ["Lesson 01 does not show slow", "Lesson 01 does not show kept"]


def test_what_stands_around_the_table_stays(tmp_path: Path) -> None:
    text = f"before\n{claims.BEGIN}\nold\n{claims.END}\nafter\n"
    once = claims.put(text, "new")
    assert once == f"before\n{claims.BEGIN}\nnew\n{claims.END}\nafter\n"
    assert claims.put(once, "new") == once
    assert claims.put(once, "") == f"before\n{claims.BEGIN}\n{claims.END}\nafter\n"


@pytest.mark.parametrize("text", ["", claims.BEGIN, f"{claims.END}\n{claims.BEGIN}", claims.BEGIN * 2 + claims.END])
def test_a_readme_without_a_place_is_refused(text: str) -> None:
    with pytest.raises(LabError, match="no place for the claims"):
        claims.put(text, "new")


def test_a_damaged_list_of_claims_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "claims.toml"
    for damage in ("[slow]\nclaim = 'x'\n", "not toml", "slow = 3\n"):
        file.write_text(damage)
        with pytest.raises(LabError, match=r"claims\.toml cannot be read"):
            claims.load(file)
