"""`python -m labkit`: what every command shares."""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import repo

from labkit import cli
from labkit.base import browser
from labkit.base.errors import BrokerError, SettingError


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
def test_without_a_browser_its_tests_are_skipped_and_in_ci_they_fail(tmp_path: Path, ci: str, ends: str) -> None:
    shutil.copy(repo.ROOT / "tests" / "conftest.py", tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = browser: x\n")
    (tmp_path / "test_look.py").write_text("import pytest\n@pytest.mark.browser\ndef test_it(): pass\n")
    env = {name: value for name, value in os.environ.items() if name != "LABKIT_CHROMIUM"} | {"PATH": "", "CI": ci}
    env["PYTHONPATH"] = str(repo.ROOT)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:nbval", "-rEs"],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
    )
    assert ends in done.stdout
    assert "no Chromium here" in done.stdout
