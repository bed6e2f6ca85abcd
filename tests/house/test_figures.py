"""The figures of the house are the kept ones, and lessons keep to their budget."""

import ast
import json
from pathlib import Path

import figures
import pytest
from figures import BUDGET, REASON, TEST_BUDGET, House, complaint
from graph import Graph


@pytest.fixture(scope="module")
def house() -> House:
    """Not at import: every worker collects, and this takes seconds."""
    return House()


TOY = {
    "labkit/__init__.py": "",
    "labkit/__main__.py": "import labkit.floor",
    "labkit/floor.py": "x = 1",
    "labkit/drawing.py": "x = 1\n" * 7,
    "labkit/lessons/__init__.py": "",
    "labkit/lessons/one/__init__.py": "def __getattr__(name):\n    return load({'run': '.runs'}[name])\n",
    "labkit/lessons/one/runs.py": "def run():\n    from labkit import drawing, floor\n",
    "labkit/lessons/one/worker.py": "import labkit.drawing as d\nargv = ['-m', 'labkit.lessons.two.killed']\n",
    "labkit/lessons/two/__init__.py": "",
    "labkit/lessons/two/killed.py": "x = 1",
    "labkit/lessons/two/plot.py": "from labkit import drawing",
    "tests/lessons/one/test_one.py": "x = 1\n" * 3,
    "tests/test_two.py": "import helper\nfrom labkit.lessons.two import plot\n",
    "tests/helper.py": "x = 1\n",
    "tests/test_all.py": "from labkit.lessons.one import runs\nfrom labkit.lessons.two import plot\nx = 1\n",
}
CELLS = {
    "01_one.ipynb": ["%time\nfrom labkit.lessons import one\none.run()\none.run()", "!ls"],
    "02_two.ipynb": ["from labkit.lessons.two import plot as p\np.draw(p.COLOUR)"],
}


def toy(root: Path, **changed: str) -> House:
    """A house of two lessons. changed: files that are otherwise, by name without folder and suffix."""
    for name, source in TOY.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(changed.get(Path(name).stem, source))
    (root / "notebooks").mkdir()
    for name, sources in CELLS.items():
        cells = [{"cell_type": "code", "source": source} for source in sources]
        (root / "notebooks" / name).write_text(json.dumps({"cells": cells}))
    return House(root)


def test_the_figures_of_the_house_are_the_kept_ones(house: House) -> None:
    assert len(house.lessons) >= 6
    now, kept = figures.report(house), figures.KEPT.read_text("utf-8")
    assert figures.differences(kept, now) == [], f"run {figures.COMMAND}, and read the diff"


def test_a_few_lines_more_are_no_new_figure_and_a_circle_is() -> None:
    kept = "| ordering | 2,803 | 52 |\n| circles of imports | 0 |"
    assert figures.differences(kept, kept.replace("2,803", "2,903").replace("52", "49")) == []
    assert figures.differences(kept, kept.replace("2,803", "3,103")) != []
    assert figures.differences(kept, kept.replace("| 0 |", "| 1 |")) != []
    assert figures.differences(kept, kept.replace("ordering", "order")) != []


def test_no_module_imports_itself_by_way_of_others(house: House) -> None:
    assert sum(len(uses.modules) for uses in house.graph.uses.values()) > 500
    assert house.graph.circles() == []


def test_every_name_that_a_notebook_uses_is_found_in_the_module_that_is_named_for_it(house: House) -> None:
    modules = {name.rpartition(".")[0] for one in house.lessons for name in one.uses.names}
    assert modules <= house.graph.files.keys()


def test_every_module_is_reached_by_a_lesson_or_by_the_command(house: House) -> None:
    assert [one for one, by in house.readers.items() if not by and one not in house.of_the_command] == []


def test_a_lesson_keeps_to_its_budget_or_says_why_it_does_not(house: House) -> None:
    wrong = {}
    for one in house.lessons:
        if (package := f"labkit.lessons.{one.slug}") in house.graph.files:
            docstring = ast.get_docstring(house.graph.trees[package]) or ""
            if said := complaint(house.in_folder(one.slug), house.test_lines(one.slug), docstring):
                wrong[one.slug] = said
    assert wrong == {}


@pytest.mark.parametrize(("lines", "test_lines"), [(BUDGET + 1, 0), (0, TEST_BUDGET + 1)])
def test_a_lesson_over_its_budget_must_say_why(lines: int, test_lines: int) -> None:
    assert "say why" in complaint(lines, test_lines, "Lesson one.")
    assert "say why" in complaint(lines, test_lines, f"Lesson one.\n\n{REASON}")
    assert complaint(lines, test_lines, f"Lesson one.\n\n{REASON}it has two brokers of its own.") == ""


def test_a_lesson_within_its_budget_must_not_say_why_it_is_over() -> None:
    assert complaint(BUDGET, TEST_BUDGET, "Lesson one.") == ""
    assert "delete the line" in complaint(BUDGET, TEST_BUDGET, f"{REASON}it was long.")


def test_a_module_is_of_the_lesson_that_alone_reaches_it_and_of_the_spine_when_the_command_does(tmp_path: Path) -> None:
    house = toy(tmp_path)
    owned = {module: house.owner(module) for module in house.graph.files}
    assert {module for module, owner in owned.items() if owner == "one"} == {
        "labkit.lessons.one",
        "labkit.lessons.one.runs",  # by a lazy name, and by an import in a function
    }
    assert {module for module, owner in owned.items() if owner == "two"} == {
        "labkit.lessons.two",
        "labkit.lessons.two.plot",
    }
    assert house.readers["labkit.drawing"] == {"one", "two"}
    assert house.pairs()["one and two"] == 7  # drawing; labkit.lessons has no line
    assert owned["labkit.floor"] == ""
    assert house.readers["labkit.lessons.one.worker"] == frozenset()
    assert house.graph.reach(["labkit.lessons.one.worker"]) >= {"labkit.lessons.two.killed"}  # a process, by its name


def test_the_names_of_a_notebook_are_counted_once_and_by_where_they_come_from(tmp_path: Path) -> None:
    one, two = toy(tmp_path).lessons
    assert one.uses.names == {"labkit.lessons.one.run"}
    assert two.uses.names == {"labkit.lessons.two.plot.draw", "labkit.lessons.two.plot.COLOUR"}


def test_a_test_is_of_the_lesson_of_its_folder_or_of_the_one_it_imports_and_a_helper_of_who_imports_it(
    tmp_path: Path,
) -> None:
    house = toy(tmp_path)
    assert {path.name: lesson for path, lesson in house.tests.items()} == {
        "test_one.py": "one",
        "test_two.py": "two",
        "helper.py": "two",
        "test_all.py": "",
    }
    assert (house.test_lines("one"), house.test_lines("two"), house.test_lines("")) == (3, 3, 3)


def test_an_import_from_lesson_to_lesson_is_an_arrow_also_inside_a_function(tmp_path: Path) -> None:
    assert toy(tmp_path / "a").arrows() == []
    house = toy(tmp_path / "b", runs="def run():\n    from labkit.lessons.two.plot import draw\n")
    assert house.arrows() == ["labkit.lessons.one.runs → labkit.lessons.two.plot"]


def test_a_circle_is_found_wherever_the_imports_stand(tmp_path: Path) -> None:
    toy(tmp_path, floor="def f():\n    from . import drawing\n", drawing="import labkit.floor\n")
    assert Graph(tmp_path).circles() == [["labkit.drawing", "labkit.floor"]]
