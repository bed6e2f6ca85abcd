"""`python -m labkit test`: what it runs, in which groups, and how it counts."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from labkit import cli
from labkit.base import lock, patience
from labkit.base.errors import BrokerError, SettingError
from labkit.cli import _groups as groups
from labkit.cli import test as command_test
from labkit.cli._parts import Bench, Counts, Done
from labkit.provision import holder

MIXED = """
import pytest
def test_good(): pass
def test_bad(): assert False
@pytest.mark.skip
def test_not_now(): pass
@pytest.fixture
def broken(): raise ValueError
def test_error(broken): pass
@pytest.mark.xfail
def test_known(): assert False
"""


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    (tmp_path / "reports").mkdir()
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return Bench(tmp_path, os.environ, tmp_path / "reports")


def test_a_part_counts_what_pytest_reports(bench: Bench) -> None:
    (bench.root / "test_mixed.py").write_text(MIXED)
    assert bench.pytest("a part", "-p", "no:nbval", "test_mixed.py") == Counts(passed=1, failed=2, skipped=2)


def test_a_part_that_chose_no_test_counts_nothing(bench: Bench) -> None:
    (bench.root / "test_mixed.py").write_text(MIXED)
    assert bench.pytest("a part", "-p", "no:nbval", "-k", "nowhere", "test_mixed.py") == Counts()


@pytest.mark.parametrize("source", ["import os; os._exit(3)", "import no_such_module", "def ("])
def test_a_part_that_breaks_off_counts_as_failed(bench: Bench, source: str) -> None:
    (bench.root / "test_broken.py").write_text(source)
    assert bench.pytest("a part", "-p", "no:nbval", "test_broken.py") == Counts(failed=1)


@pytest.fixture
def private(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, no_settings: None) -> SimpleNamespace:
    """`test` on a lab that is only noted down, in a home of its own."""
    seen = SimpleNamespace(home=tmp_path / "home", stopped=[], parts={}, answer=Counts(passed=5), lab=None)
    monkeypatch.setenv("LABKIT_HOME", str(seen.home))
    monkeypatch.setattr(Bench, "style", lambda bench: Done(Counts(passed=4), "style"))

    def part(bench: Bench, title: str, *arguments: str) -> Counts:
        seen.parts[title] = arguments
        assert seen.home / "tests" == Path(bench.env["LABKIT_HOME"]).parent
        if isinstance(seen.answer, BaseException):
            raise seen.answer
        return Counts(*vars(seen.answer).values())

    def start(wanted: object, say: object, who: str, found: object) -> SimpleNamespace:
        if seen.lab:
            raise seen.lab
        return SimpleNamespace(close=lambda: None, brokers=[])

    monkeypatch.setattr(Bench, "pytest", part)
    monkeypatch.setattr(holder, "start", start)
    monkeypatch.setattr(holder, "stop", lambda home: seen.stopped.append(home.name) or True)
    return seen


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out.splitlines()[-1]


def test_the_run_ends_with_a_plain_count_and_0(private: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["test", "--fast"]) == 0
    assert last_line(capsys) == "14 passed, 0 failed"
    assert list(private.parts) == ["tests", "tests that measure time, alone"]


def test_one_failure_makes_the_exit_code_1(private: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    private.answer = Counts(passed=5, failed=1, skipped=2)
    assert cli.main(["test", "--fast"]) == 1
    assert last_line(capsys) == "14 passed, 2 failed, 4 skipped"


def test_a_run_without_any_test_is_no_success(private: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    private.answer = Counts()
    assert cli.main(["test", "-k", "nowhere"]) == 1
    assert last_line(capsys) == "0 passed, 0 failed"


def test_a_lab_that_does_not_start_is_a_failure(private: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    private.lab = BrokerError("No Java.", "get one")
    assert cli.main(["test"]) == 1
    assert last_line(capsys) == "0 passed, 1 failed"
    assert private.parts == {}


@pytest.mark.parametrize("end", [None, KeyboardInterrupt(), SystemExit(143)])
def test_the_private_lab_is_stopped_and_removed_whatever_happens(
    private: SimpleNamespace, end: BaseException | None
) -> None:
    if end:
        private.answer = end
    try:
        cli.main(["test"])
    except SystemExit:
        pass
    assert len(private.stopped) == 1
    assert private.stopped[0].startswith("t-")
    assert list((private.home / "tests").iterdir()) == []


def test_what_a_killed_run_left_goes_and_what_runs_stays(private: SimpleNamespace) -> None:
    left, used = private.home / "tests" / "t-left", private.home / "tests" / "t-used"
    left.mkdir(parents=True)
    with lock.held(used / "in-use", within_s=1):
        cli.main(["test", "--fast"])
        assert not left.exists()
        assert used.exists()


def test_everything_runs_once_and_repeats_only_while_there_is_time(
    private: SimpleNamespace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = ["tests", "notebooks", "browser", "tests that measure time, alone"]
    again = ["notebooks, round 2 of 3", "notebooks, round 3 of 3"]
    assert cli.main(["test", "--rounds", "3"]) == 0
    assert list(private.parts) == everything + again
    assert "Left out" not in capsys.readouterr().out
    private.parts.clear()
    monkeypatch.setattr(groups, "REPEATS_WITHIN_S", 0)
    assert cli.main(["test", "--rounds", "3", "--bench"]) == 0
    assert list(private.parts) == everything
    left_out = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Left out: ")]
    assert [line.partition(" (")[0] for line in left_out] == [
        *(f"Left out: {title}" for title in again),
        "Left out: the report of the benchmark",
    ]


def test_a_lesson_is_run_with_all_that_belongs_to_it_and_nothing_else(private: SimpleNamespace) -> None:
    for name in ("ordering", "08", "08_ordering"):
        private.parts.clear()
        assert cli.main(["test", name]) == 0
        notebooks = [Path(word).name for word in private.parts["notebooks"] if word.endswith(".ipynb")]
        assert notebooks == ["08_ordering.ipynb"]
        assert "tests/lessons/ordering" in private.parts["tests"] and "tests" not in private.parts["tests"]
        looked_at = [Path(word).parent.name for word in private.parts["browser"] if word.endswith(".py")]
        assert set(looked_at) == {"ordering"}


def test_a_lesson_that_does_not_exist_is_refused_with_those_that_do(
    private: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["test", "odering"]) == SettingError.exit_code
    assert "ordering" in capsys.readouterr().err
    assert private.parts == {}


def test_limits_are_longer_where_the_machine_is_slow_and_as_said_where_a_factor_is_given(
    private: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def limit() -> str:
        cli.main(["test", "--fast"])
        return next(word for word in private.parts["tests"] if word.startswith("--timeout="))

    monkeypatch.setattr(patience, "measured_slowness", lambda: 0.7)
    assert limit() == "--timeout=240"
    monkeypatch.setattr(patience, "measured_slowness", lambda: 3.0)
    assert limit() == "--timeout=720"
    monkeypatch.setenv("LABKIT_PATIENCE", "1")
    assert limit() == "--timeout=120"


@pytest.mark.parametrize("rounds", ["0", "-1", "many", "1000"])
def test_a_strange_number_of_rounds_is_refused(rounds: str) -> None:
    with pytest.raises(SystemExit) as refused:
        cli.main(["test", "--rounds", rounds])
    assert refused.value.code == 2


def test_the_tools_write_into_the_labs_folder_only(private: SimpleNamespace) -> None:
    home = private.home / "tests" / "t-x"
    changed = {name: value for name, value in command_test._environment(home).items() if os.environ.get(name) != value}
    folders = [value for name, value in changed.items() if name not in ("LABKIT_GRACE_S", "LABKIT_PATIENCE")]
    assert len(folders) > 5
    assert all(Path(folder).is_relative_to(private.home) for folder in folders)
