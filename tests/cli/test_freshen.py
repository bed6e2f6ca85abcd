"""`freshen`: notebooks run from top to bottom, and saved so that a second run changes next to nothing."""

from pathlib import Path
from typing import Any

import nbformat
import pytest

from labkit import cli
from labkit.cli import normalise, notebook

new: Any = nbformat.v4


def saved(path: Path, *sources: str, outputs: Any = ()) -> Path:
    """A notebook as a front end would have saved it, run from top to bottom."""
    cells = [
        new.new_code_cell(
            source, id=f"c{i}", execution_count=i, metadata={"execution": {"started": "now"}, "tags": ["t"]}
        )
        for i, source in enumerate(sources, start=1)
    ]
    if outputs:
        cells[-1].outputs = list(outputs)
    made = new.new_notebook(cells=[new.new_markdown_cell("# Why?", id="title"), *cells])
    made.metadata = {"widgets": {"state": {}}, "kernelspec": {"name": "other", "display_name": "x"}, "toc": 1}
    path.write_text(nbformat.writes(made), encoding="utf-8")  # type: ignore[no-untyped-call]
    return path


def committed(path: Path, *sources: str, outputs: Any = ()) -> Path:
    """The same, normalised."""
    made = normalise.normalise(notebook.read(saved(path, *sources, outputs=outputs)))
    path.write_text(normalise.text(made), encoding="utf-8")
    return path


def stream(name: str, text: str) -> Any:
    return new.new_output("stream", name=name, text=text)


def test_normalising_takes_out_what_changes_by_itself_and_keeps_the_tags(tmp_path: Path) -> None:
    made = normalise.normalise(notebook.read(saved(tmp_path / "a.ipynb", "1 + 1")))
    assert set(made.metadata) == {"kernelspec", "language_info", "labkit"}
    assert made.metadata.kernelspec.name == "python3"
    assert made.cells[1].metadata == {"tags": ["t"]}
    assert made.cells[1].execution_count == 1
    assert normalise.text(made) == normalise.text(normalise.normalise(made))


def test_a_widgets_view_gives_way_to_its_picture(tmp_path: Path) -> None:
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": "3f"}}
    both = new.new_output("display_data", data={**view, "image/png": "aGk=", "text/plain": "a plot"})
    alone = new.new_output("display_data", data=view)
    made = normalise.normalise(notebook.read(saved(tmp_path / "a.ipynb", "panel()", outputs=[both, alone])))
    assert [dict(output.data) for output in made.cells[1].outputs] == [{"image/png": "aGk=", "text/plain": "a plot"}]


def test_a_notebook_that_may_be_committed_draws_no_complaint(tmp_path: Path) -> None:
    assert notebook.check(committed(tmp_path / "a.ipynb", "1", "2", outputs=[stream("stdout", "2")])) == []


@pytest.mark.parametrize(
    ("outputs", "complaint"),
    [
        ([stream("stderr", "deprecated\nmore")], "cell c2 wrote to stderr: deprecated"),
        ([stream("stderr", "\n")], "cell c2 wrote to stderr"),
        ([new.new_output("error", ename="ValueError", evalue="no", traceback=[])], "cell c2 ended with ValueError"),
    ],
)
def test_errors_and_stderr_are_found_with_their_cell(tmp_path: Path, outputs: Any, complaint: str) -> None:
    (found,) = notebook.check(committed(tmp_path / "a.ipynb", "1", "2", outputs=outputs))
    assert found.startswith(complaint)


def test_a_notebook_that_was_not_run_in_order_is_found(tmp_path: Path) -> None:
    path = committed(tmp_path / "a.ipynb", "1", "2")
    path.write_text(
        path.read_text(encoding="utf-8").replace('"execution_count": 2', '"execution_count": 7'), encoding="utf-8"
    )
    assert notebook.check(path) == ["it was not run from top to bottom"]


def test_a_notebook_straight_from_a_front_end_is_found(tmp_path: Path) -> None:
    assert notebook.check(saved(tmp_path / "a.ipynb", "1")) == ["it is not normalised"]
    path = committed(tmp_path / "b.ipynb", "1")
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert notebook.check(path) == ["the file is not written as `freshen` writes it"]


def test_freshen_runs_a_notebook_and_a_second_run_changes_nothing(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.ipynb", "from pathlib import Path", "Path.cwd().name", "print('seen')")
    assert cli.main(["freshen", str(path)]) == 0
    first = path.read_text(encoding="utf-8")
    made = notebook.read(path)
    assert made.cells[2].outputs[0].data["text/plain"] == repr(tmp_path.name)  # it runs in its own folder
    assert made.cells[3].outputs[0].text == "seen\n"
    assert cli.main(["freshen", "--check", str(path)]) == 0
    assert cli.main(["freshen", str(path)]) == 0
    assert path.read_text(encoding="utf-8") == first
    assert [p.name for p in tmp_path.iterdir()] == ["a.ipynb"]


def test_a_failing_cell_is_named_and_the_old_file_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved(tmp_path / "a.ipynb", "assert 1 == 2, 'sums'")
    before = path.read_bytes()
    assert cli.main(["freshen", str(path)]) == 1
    assert "a cell failed: AssertionError: sums" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_a_notebook_that_writes_to_stderr_is_not_saved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved(tmp_path / "a.ipynb", "import sys", "print('old news', file=sys.stderr)")
    before = path.read_bytes()
    assert cli.main(["freshen", str(path)]) == 1
    assert "cell c2 wrote to stderr: old news" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_a_cell_that_does_not_end_is_stopped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved(tmp_path / "a.ipynb", "while True: pass")
    assert cli.main(["freshen", "--timeout", "2", str(path)]) == 1
    assert "a cell did not end" in capsys.readouterr().err


def test_check_says_the_cure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["freshen", "--check", str(saved(tmp_path / "a.ipynb", "1"))]) == 1
    assert "Cure: python -m labkit freshen" in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, "", "{}", '{"cells": 1, "nbformat": 4, "nbformat_minor": 5}', "no json"])
def test_what_is_no_notebook_is_refused_with_a_cure(
    tmp_path: Path, content: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.ipynb"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    assert cli.main(["freshen", "--check", str(path)]) == 1
    assert "Cure:" in capsys.readouterr().err
