"""The house rules that import-linter does not see."""

import sys

import pytest
import repo
from interpreter import LOADED, python

LIGHT = ("base", "events", "brokers", "provision", "lab", "shop", "patterns", "chaos")


HEAVY_ONES = """
import importlib, sys
HEAVY = {"pandas", "matplotlib", "numpy", "ipywidgets", "IPython"}
for name in sys.argv[1:]:
    before = HEAVY & sys.modules.keys()
    importlib.import_module(name)
    if new := (HEAVY & sys.modules.keys()) - before:
        print(name, "loads", *sorted(new))
"""

WATCHED = """
import importlib, os, sys, threading, traceback
STDLIB = os.path.dirname(os.__file__)
def by_python_itself(file):
    return file.startswith("<") or (file.startswith(STDLIB) and "site-packages" not in file)
def watch(event, *args):
    if event in ("thread", "socket.bind", "socket.connect", "subprocess.Popen", "os.fork"):
        callers = [frame for frame in traceback.extract_stack()[:-1] if not by_python_itself(frame.filename)]
        if callers and os.sep + "labkit" + os.sep in callers[-1].filename:
            print(event, callers[-1].filename, callers[-1].lineno)
sys.addaudithook(watch)
threading.Thread.start = lambda thread: watch("thread")  # Python 3.11 has no audit event for it
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


def test_every_file_of_labkit_has_fewer_than_250_lines() -> None:
    long = {
        str(path.relative_to(repo.ROOT)): lines
        for path in repo.files(".py", ".js")
        if path.is_relative_to(repo.ROOT / "labkit") and (lines := len(path.read_text("utf-8").splitlines())) >= 250
    }
    assert not long


def test_import_labkit_imports_only_the_standard_library() -> None:
    loaded = {name.partition(".")[0] for name in python(LOADED, "labkit").split()}
    assert "labkit" in loaded
    before = {name.partition(".")[0] for name in python(LOADED).split()}  # an interpreter's own .pth files
    assert loaded - before <= sys.stdlib_module_names | {"labkit"}


@pytest.mark.parametrize(
    "package", ["labkit", "labkit.base", "labkit.bootstrap.enter", "labkit.lab", "labkit.cli.test"]
)
def test_a_bare_python_can_import(package: str) -> None:
    assert package in python(LOADED, package, bare=True).split()


def test_a_process_of_a_service_loads_no_pandas_and_no_matplotlib() -> None:
    light = [name for name in repo.modules() if name.split(".")[1:2] and name.split(".")[1] in LIGHT]
    assert "labkit.lab" in light
    assert python(HEAVY_ONES, *light) == ""


def test_importing_a_module_starts_no_thread_no_process_and_no_connection() -> None:
    assert python(WATCHED, *repo.modules()) == ""
