"""A lesson is a folder, a notebook and its tests, all of one name. Its number is in the notebook's name."""

import importlib
import re
from pathlib import Path

import pytest
import repo
from interpreter import LOADED, python

NOTEBOOKS = sorted((repo.ROOT / "notebooks").glob("*.ipynb"))
SLUGS = {path.stem[3:] for path in NOTEBOOKS}
ROW = re.compile(r"^\| \[(\d\d)\]\(notebooks/(\d\d_\w+)\.ipynb\)", re.MULTILINE)


def folders(place: Path) -> set[str]:
    return {path.name for path in place.iterdir() if path.is_dir() and path.name != "__pycache__"}


def test_a_lesson_and_its_tests_are_called_as_its_notebook_is_without_the_number() -> None:
    assert len(SLUGS) == len(NOTEBOOKS) >= 6
    assert folders(repo.ROOT / "labkit" / "lessons") == SLUGS
    assert folders(repo.ROOT / "tests" / "lessons") == SLUGS


def test_the_numbers_are_in_the_notebooks_names_and_in_the_readmes_table_and_in_no_name_of_code() -> None:
    rows = ROW.findall((repo.ROOT / "README.md").read_text("utf-8"))
    assert [stem for _, stem in rows] == [path.stem for path in NOTEBOOKS]
    assert all(stem.startswith(f"{number}_") for number, stem in rows)
    code = [path for path in repo.files(".py") if "lessons" in path.parts]
    assert len(code) > 100
    assert not [path for path in code if re.search(r"(?<!\d)\d\d(?!\d)", "/".join(path.relative_to(repo.ROOT).parts))]


@pytest.mark.parametrize("package", ["truth", *(f"lessons.{slug}" for slug in sorted(SLUGS))])
def test_a_package_of_a_lesson_loads_nothing_of_it_by_itself_and_has_every_name_it_lists(package: str) -> None:
    name = f"labkit.{package}"
    loaded = {one for one in python(LOADED, name).split() if one.startswith("labkit.")}
    assert name in loaded
    assert loaded <= {"labkit.lessons", name, "labkit.base", "labkit.base.lazy"}
    module = importlib.import_module(name)
    assert all(getattr(module, one) is not None for one in getattr(module, "__all__", ()))


@pytest.mark.parametrize("worker", ["labkit.lessons.idempotency.worker", "labkit.truth.worker"])
def test_a_process_that_is_killed_loads_no_pandas_no_matplotlib_and_no_plots(worker: str) -> None:
    loaded = python(LOADED, worker).split()
    assert worker in loaded
    assert not {"pandas", "matplotlib", "numpy"} & set(loaded)
    assert not [one for one in loaded if re.search(r"\.(plots|exercises|experiment|asking|panel)\b", one)]
