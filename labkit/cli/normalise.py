"""Notebooks as they are committed: the same run twice differs only where its numbers differ."""

from collections.abc import Mapping
from typing import Any

import nbformat

from labkit.desk.jupyter import MARK

# nbformat has no types. Its nodes are dictionaries whose keys are attributes too.
Node = Any
_node: Any = nbformat.NotebookNode
_from_dict: Any = nbformat.from_dict
_writes: Any = nbformat.writes

_VIEW = "application/vnd.jupyter.widget-view+json"
_KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
_CELL_KEYS = ("tags", "slideshow")  # what a lesson's author puts on a cell; the rest is a front end's memory


def normalise(notebook: Node) -> Node:
    """Take out what changes by itself, in place: times, widget state and ids, the front end's view of the page."""
    mark = {MARK: _node(outputs="of a run by the course")}
    notebook.metadata = _node(kernelspec=_node(_KERNEL), language_info=_node(name="python"), **mark)
    for cell in notebook.cells:
        kept = {key: cell.metadata[key] for key in _CELL_KEYS if cell.metadata.get(key)}
        cell.metadata = _node(kept)
        if cell.cell_type == "code":
            cell.outputs = [kept for kept in map(_output, cell.outputs) if kept is not None]
    return notebook


def text(notebook: Node) -> str:
    """The notebook as it stands in its file, after `normalise`."""
    return str(_writes(notebook)).rstrip("\n") + "\n"


def complaints(notebook: Node) -> list[str]:
    """What is wrong with a notebook that somebody is about to commit, a sentence each. Numbers are not compared."""
    found: list[str] = []
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    if not code:
        found.append("it has no code")
    if [cell.execution_count for cell in code] != list(range(1, len(code) + 1)):
        found.append("it was not run from top to bottom")
    for cell in code:
        found += [f"cell {cell.id} {wrong}" for wrong in _wrong(cell)]
    before = text(notebook)
    if before != text(normalise(_from_dict(notebook))):
        found.append("it is not normalised")
    return found


def _wrong(cell: Node) -> list[str]:
    found = []
    for output in cell.outputs:
        if output.output_type == "error":
            found.append(f"ended with {output.ename}")
        if output.output_type == "stream" and output.name == "stderr":
            found.append(f"wrote to stderr: {output.text.strip().partition(chr(10))[0][:80]}")
    return found


def _output(output: Node) -> Node | None:
    data: Mapping[str, Any] = output.get("data", {})
    if _VIEW in data:
        # Widget state is not saved, so the view would open as an error. Its picture or text takes its place.
        rest = {kind: value for kind, value in data.items() if kind != _VIEW}
        if not rest:
            return None
        output.data = _node(rest)
    return output
