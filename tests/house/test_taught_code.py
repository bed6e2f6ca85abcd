"""A function that a lesson builds is the one that labkit has: its docstring ends with `Built in: notebooks/…`."""

import ast
import re
from pathlib import Path

import pytest

from labkit.base.settings import course_root
from labkit.cli import notebook

BUILT_IN = re.compile(r"Built in: (notebooks/\S+\.ipynb)\s*\Z")  # line for line
HEART_IN = re.compile(r"Built in: (notebooks/[\w/]+\.ipynb)")  # also its heart alone: "…, with one order"
NOTEBOOKS = sorted((course_root() / "notebooks").glob("*.ipynb"))


def taught() -> list[tuple[ast.FunctionDef, Path]]:
    """Every function of labkit that says in which notebook it was built."""
    found = []
    for file in sorted((course_root() / "labkit").rglob("*.py")):
        source = file.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(source)) if "Built in:" in source else ():
            if isinstance(node, ast.FunctionDef) and (told := BUILT_IN.search(ast.get_docstring(node) or "")):
                found.append((node, course_root() / told[1]))
    return found


def bare(function: ast.FunctionDef) -> str:
    """The program alone: no docstring, no annotations."""
    copy = ast.parse(ast.unparse(function)).body[0]
    assert isinstance(copy, ast.FunctionDef)
    if ast.get_docstring(copy):
        copy.body = copy.body[1:]
    copy.returns = None
    for argument in ast.walk(copy.args):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    return ast.unparse(copy)


def test_at_least_one_function_was_built_in_a_lesson():
    assert taught()


@pytest.mark.parametrize(("function", "path"), taught(), ids=lambda value: getattr(value, "name", None))
def test_the_function_in_labkit_is_the_one_that_the_lesson_builds(function: ast.FunctionDef, path: Path):
    cells = [cell.source for cell in notebook.read(path).cells if cell.cell_type == "code"]
    built = [
        node
        for source in cells
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef) and node.name == function.name
    ]
    assert [bare(node) for node in built] == [bare(function)]


def built_in() -> list[tuple[str, set[str]]]:
    """Each notebook that a docstring of labkit names, and what the lesson's text may call what it has built."""
    found = []
    for file in sorted((course_root() / "labkit").rglob("*.py")):
        *_, folder, module = parts = file.relative_to(course_root()).with_suffix("").parts
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and (told := HEART_IN.search(ast.get_docstring(node) or "")):
                own = {f"{folder}.run", f"{module}.run"} if node.name == "run" else {node.name}
                found.append((told[1], {".".join(parts), *own}))
    return found


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_each_lesson_builds_something_that_labkit_has_and_says_where_it_is(path: Path):
    names = set().union(*(names for notebook_name, names in built_in() if course_root() / notebook_name == path))
    assert names, f"no docstring in labkit says `Built in: notebooks/{path.name}`"
    text = "\n".join(cell.source for cell in notebook.read(path).cells if cell.cell_type == "markdown")
    assert [name for name in names if name in text], f"the text names none of {sorted(names)}"
