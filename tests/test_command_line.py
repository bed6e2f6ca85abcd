"""`python -m labkit`: what every command shares, and how `test` counts."""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import repo

from labkit import cli
from labkit.base import browser, lock
from labkit.base.errors import BrokerError, SettingError
from labkit.cli import test as command_test
from labkit.cli._parts import Bench, Counts
from labkit.provision import holder


def command(run: object) -> ModuleType:
    module = ModuleType("a command")
    module.__dict__.update(HELP="does it", add_arguments=lambda parser: None, run=run)
    return module


def raising(error: BaseException) -> ModuleType:
    def run(args: argparse.Namespace) -> int:
        raise error

    return command(run)


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_a_command_can_show_its_help_on_a_bare_python(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-S", "-m", "labkit", name, "--help"], cwd=repo.ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: python -m labkit {name}")


def test_the_overview_names_every_command_with_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    for name in cli.COMMANDS:
        assert "\n" not in cli.command(name).HELP
        assert sum(line.split()[:1] == [name] for line in lines) == 1


def test_an_unknown_command_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["opne"]) == 2
    assert "python -m labkit open" in capsys.readouterr().err


def test_an_error_shows_its_cure_and_becomes_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "command", lambda name: raising(BrokerError("It broke.", "mend it")))
    assert cli.main(["up"]) == BrokerError.exit_code
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "labkit: It broke.\n  Cure: mend it\n"


def test_ctrl_c_ends_a_command_as_a_shell_expects(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "command", lambda name: raising(KeyboardInterrupt()))
    assert cli.main(["up"]) == 130


def test_a_reader_that_goes_away_is_no_error() -> None:
    code = (
        "from labkit import cli\nfrom types import SimpleNamespace\n"
        "def run(args):\n    for _ in range(100_000): print('a line')\n"
        "cli.command = lambda name: SimpleNamespace(HELP='', add_arguments=lambda parser: None, run=run)\n"
        "raise SystemExit(cli.main(['logs']))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=repo.ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as writer:
        assert writer.stdout
        assert writer.stderr
        writer.stdout.readline()
        writer.stdout.close()
        assert writer.stderr.read() == b""
    assert writer.returncode == 141


def test_a_terminal_without_a_character_shows_another() -> None:
    code = (
        "from labkit import cli\nfrom types import SimpleNamespace\n"
        "def run(args): print('a → b'); return 0\n"
        "cli.command = lambda name: SimpleNamespace(HELP='', add_arguments=lambda parser: None, run=run)\n"
        "raise SystemExit(cli.main(['status']))"
    )
    env = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", code], cwd=repo.ROOT, env=env, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "a ? b\n"), done.stderr


# How `test` counts.

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
    seen = SimpleNamespace(home=tmp_path / "home", stopped=[], parts=[], answer=Counts(passed=5), lab=None)
    monkeypatch.setenv("LABKIT_HOME", str(seen.home))
    monkeypatch.setattr(Bench, "style", lambda bench: Counts(passed=4))

    def part(bench: Bench, title: str, *arguments: str) -> Counts:
        seen.parts.append(title)
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
    assert last_line(capsys) == "9 passed, 0 failed"
    assert private.parts == ["tests"]


def test_one_failure_makes_the_exit_code_1(private: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    private.answer = Counts(passed=5, failed=1, skipped=2)
    assert cli.main(["test", "--fast"]) == 1
    assert last_line(capsys) == "9 passed, 1 failed, 2 skipped"


def test_a_run_without_any_test_is_no_success(private: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    private.answer = Counts()
    assert cli.main(["test", "-k", "nowhere"]) == 1
    assert last_line(capsys) == "0 passed, 0 failed"


def test_a_lab_that_does_not_start_is_a_failure(private: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    private.lab = BrokerError("No Java.", "get one")
    assert cli.main(["test"]) == 1
    assert last_line(capsys) == "4 passed, 1 failed"
    assert private.parts == []


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


@pytest.mark.parametrize("rounds", ["0", "-1", "many", "1000"])
def test_a_strange_number_of_rounds_is_refused(rounds: str) -> None:
    with pytest.raises(SystemExit) as refused:
        cli.main(["test", "--rounds", rounds])
    assert refused.value.code == 2


def test_the_tools_write_into_the_labs_folder_only(private: SimpleNamespace) -> None:
    home = private.home / "tests" / "t-x"
    changed = {name: value for name, value in command_test._environment(home).items() if os.environ.get(name) != value}
    folders = [value for name, value in changed.items() if name not in ("LABKIT_GRACE_S",)]
    assert len(folders) > 5
    assert all(Path(folder).is_relative_to(private.home) for folder in folders)


# Where the browser is.


def test_a_named_browser_that_is_not_there_is_refused() -> None:
    with pytest.raises(SettingError, match="LABKIT_CHROMIUM"):
        browser.find({"LABKIT_CHROMIUM": "/nowhere/chromium"})


def test_a_browser_on_path_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser, "_ELSEWHERE", {})
    assert browser.find({"PATH": str(tmp_path)}) is None
    program = tmp_path / "google-chrome"
    program.touch(mode=0o755)
    assert browser.find({"PATH": str(tmp_path)}) == program
    assert browser.find({"PATH": "", "LABKIT_CHROMIUM": str(program)}) == program


@pytest.mark.parametrize(("ci", "ends"), [("true", "1 error"), ("", "1 skipped")])
def test_without_a_browser_its_tests_are_skipped_and_in_ci_they_fail(bench: Bench, ci: str, ends: str) -> None:
    shutil.copy(repo.ROOT / "tests" / "conftest.py", bench.root)
    (bench.root / "pytest.ini").write_text("[pytest]\nmarkers = browser: x\n")
    (bench.root / "test_look.py").write_text("import pytest\n@pytest.mark.browser\ndef test_it(): pass\n")
    env = {name: value for name, value in os.environ.items() if name != "LABKIT_CHROMIUM"} | {"PATH": "", "CI": ci}
    env["PYTHONPATH"] = str(repo.ROOT)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:nbval", "-rEs"],
        cwd=bench.root,
        env=env,
        capture_output=True,
        text=True,
    )
    assert ends in done.stdout
    assert "no Chromium here" in done.stdout
