"""Notebook files: read, checked, run from top to bottom, written whole."""

from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from labkit.base.errors import LabError
from labkit.cli import normalise

_read: Any = nbformat.read  # nbformat has no types


def check(path: Path) -> list[str]:
    """What is wrong with the saved notebook; nothing when it may be committed."""
    notebook = read(path)
    found = normalise.complaints(notebook)
    # The file itself, not only what is in it: a front end's spacing makes a diff of every line.
    if not found and path.read_text(encoding="utf-8") != normalise.text(notebook):
        found.append("the file is not written as `freshen` writes it")
    return found


def freshen(path: Path, timeout_s: float) -> list[str]:
    """Run the notebook in its own folder and save it. On an error nothing is written, and the error is returned."""
    notebook = read(path)
    client = NotebookClient(
        notebook,
        timeout=timeout_s,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
        extra_arguments=["--log-level=ERROR"],  # the kernel's own warnings are not the reader's
    )
    try:
        client.execute()
    except CellExecutionError as error:
        return [f"a cell failed: {error.ename}: {error.evalue}", str(error)]
    except (CellTimeoutError, DeadKernelError) as error:
        return [f"a cell did not end: {error}"]
    normalise.normalise(notebook)
    wrong = normalise.complaints(notebook)
    if not wrong:
        _write(path, normalise.text(notebook))
    return wrong


def read(path: Path) -> Any:
    """The notebook. Raises LabError when there is none, or when it is not one."""
    if not path.is_file():
        raise LabError(f"There is no notebook {path}.", "see which there are: ls notebooks")
    try:
        notebook = _read(path, as_version=4)
        nbformat.validate(notebook)
    except (ValueError, TypeError, KeyError, AttributeError, nbformat.ValidationError) as error:
        first = str(error).splitlines()[0]
        raise LabError(f"{path} is not a notebook: {first}.", "get it back: git checkout -- notebooks") from error
    return notebook


def _write(path: Path, content: str) -> None:
    """Whole or not at all: a reader never sees half a notebook."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(content, encoding="utf-8")
    new.replace(path)
