"""A function that a lesson builds is the one that labkit has: its docstring ends with `Built in: notebooks/…`."""

import ast
import re
from pathlib import Path

import pytest

from labkit.base.settings import course_root
from labkit.cli import notebook

BUILT_IN = re.compile(r"Built in: (notebooks/\S+\.ipynb)\s*\Z")


def taught() -> list[tuple[ast.FunctionDef, Path]]:
    """Every function of labkit that says in which notebook it was built."""
    found = []
    for file in sorted((course_root() / "labkit").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
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
