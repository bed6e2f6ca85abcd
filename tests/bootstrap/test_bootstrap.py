"""From a bare python3 into .venv. No network: the installer is a stand-in that notes what it was asked."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree, ignore_patterns

import pytest
import repo

from labkit.base import errors
from labkit.base.wait import until
from labkit.bootstrap import enter, install, packages
from labkit.bootstrap.venv import Venv

UV = """
import os, pathlib, subprocess, sys, time
here = pathlib.Path(__file__).parent
with (here / "calls").open("a") as calls:
    calls.write(" ".join(sys.argv[1:]) + "\\n")
print("said on standard output")
while (here / "wait").exists():
    time.sleep(0.01)
if (here / "fail").exists():
    sys.exit("the installer failed")
if sys.argv[1] == "venv":
    python = sys.argv[sys.argv.index("--python") + 1]
    sys.exit(subprocess.call([python, "-m", "venv", "--without-pip", sys.argv[-1]]))
"""


class Clone:
    """A copy of what the bootstrap needs of the course, in a folder of its own, and a stand-in for uv."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "a course"  # with a space in it, as on many a desktop
        self.tools = folder / "tools"
        self.tools.mkdir()
        copytree(repo.ROOT / "labkit", self.root / "labkit", ignore=ignore_patterns("__pycache__"))
        copytree(repo.ROOT / "requirements", self.root / "requirements")
        (self.root / "pyproject.toml").write_bytes((repo.ROOT / "pyproject.toml").read_bytes())
        (self.tools / "uv.py").write_text(UV)
        (self.tools / "uv").write_text(f'#!/bin/sh\nexec "{sys.executable}" -I "{self.tools}/uv.py" "$@"\n')
        (self.tools / "uv").chmod(0o755)
        self.venv = Venv(self.root / ".venv", self.root)
        self._started: list[subprocess.Popen[str]] = []

    @property
    def calls(self) -> list[str]:
        file = self.tools / "calls"
        return file.read_text().splitlines() if file.exists() else []

    def start(self, *argv: str, bare: bool = True, **env: str) -> "subprocess.Popen[str]":
        """`python3 -m labkit argv`. bare: in an interpreter without any package."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("LABKIT_", "PYTHON"))}
        started = subprocess.Popen(
            [sys.executable, *(["-S"] if bare else []), "-m", "labkit", *argv],
            cwd=self.root,
            env=clean | {"PATH": f"{self.tools}{os.pathsep}{os.environ['PATH']}"} | env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._started.append(started)
        return started

    def run(self, *argv: str, bare: bool = True, **env: str) -> "subprocess.CompletedProcess[str]":
        started = self.start(*argv, bare=bare, **env)
        out, err = started.communicate(timeout=60)
        return subprocess.CompletedProcess(argv, started.returncode, out, err)

    def end(self) -> None:
        for started in self._started:
            if started.poll() is None:
                started.kill()
            started.communicate()


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Clone]:
    clone = Clone(tmp_path)
    yield clone
    clone.end()


# `logs kafka` in a folder without a lab: it needs the packages, and then only says that there is no log.
NEEDS_PACKAGES = ("logs", "kafka")
NO_LOG = errors.NotRunningError.exit_code


@pytest.mark.parametrize("argv", [(), ("--help",), ("-h",), ("--version",), ("up", "--help"), ("status",), ("down",)])
def test_help_and_light_commands_make_nothing(clone: Clone, argv: tuple[str, ...]) -> None:
    before = set(clone.root.iterdir())
    done = clone.run(*argv)
    assert done.stdout
    assert "Traceback" not in done.stderr
    assert not clone.calls
    assert set(clone.root.iterdir()) == before


def test_a_bare_python_makes_a_venv_once_and_goes_on_in_it(clone: Clone) -> None:
    first = clone.run(*NEEDS_PACKAGES)
    assert first.returncode == NO_LOG, first.stderr
    assert [call.split()[0] for call in clone.calls] == ["venv", "pip"]
    assert "--require-hashes" in clone.calls[1]
    assert clone.calls[1].endswith("course.lock") or "course.lock" in clone.calls[1]
    assert clone.venv.is_ready(None)

    second = clone.run(*NEEDS_PACKAGES)
    assert second.returncode == NO_LOG
    assert "putting" not in second.stderr
    assert len(clone.calls) == 2


def test_standard_output_belongs_to_the_command(clone: Clone) -> None:
    done = clone.run(*NEEDS_PACKAGES)
    assert "said on standard output" in done.stderr
    assert done.stdout == ""


def test_labkit_can_be_imported_in_the_venv_from_any_folder(clone: Clone, tmp_path: Path) -> None:
    clone.run(*NEEDS_PACKAGES)
    where = subprocess.run(
        [clone.venv.python, "-c", "import labkit; print(labkit.__file__)"], cwd=tmp_path, capture_output=True, text=True
    )
    assert Path(where.stdout.strip()).is_relative_to(clone.root)


def test_the_tests_get_their_packages_too_and_keep_them(clone: Clone) -> None:
    clone.run("test", "-k", "nothing", "--fast", "--rounds", "0")  # a wrong argument: it ends right after the set-up
    assert "test.lock" in clone.calls[-1]
    clone.run(*NEEDS_PACKAGES)
    assert len(clone.calls) == 2
    with (clone.root / "requirements" / "test.lock").open("a") as lock:
        lock.write("# changed\n")
    clone.run(*NEEDS_PACKAGES)
    assert len(clone.calls) == 3
    assert "test.lock" in clone.calls[-1]


def test_a_changed_lock_is_installed_into_the_same_venv(clone: Clone) -> None:
    clone.run(*NEEDS_PACKAGES)
    (clone.venv.site / "by_the_learner.py").touch()
    with (clone.root / "requirements" / "course.lock").open("a") as lock:
        lock.write("# changed\n")
    clone.run(*NEEDS_PACKAGES)
    assert [call.split()[0] for call in clone.calls] == ["venv", "pip", "pip"]
    assert (clone.venv.site / "by_the_learner.py").exists()
    assert clone.venv.is_ready(None)


def test_a_venv_that_was_killed_half_made_is_made_anew(clone: Clone) -> None:
    (clone.tools / "wait").touch()
    killed = clone.start(*NEEDS_PACKAGES)
    until(lambda: clone.calls, 30, "the installer was called")
    assert clone.venv.says()["state"] == "making"
    killed.kill()
    killed.wait()
    (clone.venv.folder / "half a package").touch()
    (clone.tools / "wait").unlink()

    done = clone.run(*NEEDS_PACKAGES)
    assert done.returncode == NO_LOG, done.stderr
    assert clone.venv.is_ready(None)
    assert not (clone.venv.folder / "half a package").exists()


def test_two_starts_at_once_make_one_venv(clone: Clone) -> None:
    (clone.tools / "wait").touch()
    first = clone.start(*NEEDS_PACKAGES)
    until(lambda: clone.calls, 30, "the first start installs")
    second = clone.start(*NEEDS_PACKAGES)
    assert second.stderr
    assert "waiting for it" in second.stderr.readline()
    (clone.tools / "wait").unlink()
    assert first.wait(60) == second.wait(60) == NO_LOG
    assert [call.split()[0] for call in clone.calls] == ["venv", "pip"]


def test_a_moved_course_gets_a_new_venv(clone: Clone) -> None:
    clone.run(*NEEDS_PACKAGES)
    said = clone.venv.says() | {"root": "/elsewhere"}
    clone.venv.marker.write_text(json.dumps(said))
    clone.run(*NEEDS_PACKAGES)
    assert [call.split()[0] for call in clone.calls] == ["venv", "pip", "venv", "pip"]


def test_a_venv_of_somebody_else_is_left_as_it_is(clone: Clone) -> None:
    clone.venv.folder.mkdir()
    (clone.venv.folder / "theirs").touch()
    done = clone.run(*NEEDS_PACKAGES)
    assert done.returncode == NO_LOG, done.stderr
    assert [path.name for path in clone.venv.folder.iterdir()] == ["theirs"]
    assert Venv(clone.root / ".lab" / "venv", clone.root).is_ready(None)


def test_an_interpreter_that_has_the_packages_makes_nothing(clone: Clone) -> None:
    done = clone.run(*NEEDS_PACKAGES, bare=False)
    assert done.returncode == NO_LOG, done.stderr
    assert not clone.calls
    assert not clone.venv.folder.exists()


def test_a_terminal_inside_jupyterlab_starts_from_the_beginning(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LABKIT_IN_VENV", "1")
    assert enter.main(["--version"]) == 0
    assert "LABKIT_IN_VENV" not in os.environ


def test_a_wrong_setting_is_refused_before_anything_is_made(clone: Clone) -> None:
    done = clone.run(*NEEDS_PACKAGES, LABKIT_HOEM="x")
    assert done.returncode == errors.SettingError.exit_code
    assert "LABKIT_HOME" in done.stderr
    assert not clone.calls


def test_when_uv_fails_pip_tries(clone: Clone) -> None:
    (clone.tools / "fail").touch()
    # pip, kept from the network, fails in its own way: what counts is that it was tried, and said why.
    done = clone.run(*NEEDS_PACKAGES, PIP_NO_INDEX="1", PIP_FIND_LINKS=str(clone.tools), PIP_RETRIES="0")
    assert "uv could not do it; pip tries now" in done.stderr
    assert done.returncode == errors.SetupError.exit_code
    assert "Cure:" in done.stderr
    assert clone.venv.says()["state"] == "making"


def test_a_python_without_venv_is_told_what_to_install(clone: Clone) -> None:
    code = (
        "import runpy, sys; sys.modules['ensurepip'] = None; "
        "sys.argv = ['labkit', 'logs', 'kafka']; runpy.run_module('labkit', run_name='__main__')"
    )
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("LABKIT_", "PYTHON"))}
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=clone.root, env=clean | {"PATH": ""}, capture_output=True, text=True
    )
    assert done.returncode == errors.SetupError.exit_code, done.stderr
    assert "python3-venv" in done.stderr


@pytest.mark.parametrize(
    ("said", "kind", "word"),
    [
        ("OSError: [Errno 28] No space left on device", errors.StorageError, "disk is full"),
        ("WARNING: Retrying ... Temporary failure in name resolution", errors.SetupError, "no network"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE", errors.SetupError, "not the one"),
        ("error: command 'gcc' failed", errors.SetupError, "the lines above"),
    ],
)
def test_what_the_installer_says_becomes_a_cure(said: str, kind: type, word: str) -> None:
    error = install._what_happened(said)
    assert type(error) is kind
    assert word in str(error)


def test_a_course_folder_that_cannot_be_written_puts_the_venv_into_the_labs_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    course, home = tmp_path / "course", tmp_path / "home"
    course.mkdir()
    places = [Venv(course / ".venv", course), Venv(home / "venv", course)]
    # root may write anywhere, so what the system would answer is put in its mouth
    monkeypatch.setattr(os, "access", lambda path, _: not Path(path).is_relative_to(course))
    assert enter._first_writable(places) is places[1]
    monkeypatch.setattr(os, "access", lambda path, _: False)
    with pytest.raises(errors.SetupError, match="LABKIT_HOME"):
        enter._first_writable(places)


def test_every_python_can_read_the_way_in() -> None:
    for name in ("__init__.py", "__main__.py"):
        source = (repo.ROOT / "labkit" / name).read_text("utf-8")
        assert source.isascii(), name  # Python 2 reads nothing else
        ast.parse(source, feature_version=(3, 4))
        assert not any(isinstance(node, ast.JoinedStr | ast.AnnAssign) for node in ast.walk(ast.parse(source))), name


def test_an_old_python_is_told_which_one_it_needs() -> None:
    code = "import sys; sys.version_info = (3, 8, 0); import labkit.__main__ as way_in; sys.exit(way_in.main())"
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=repo.ROOT, capture_output=True, text=True)
    assert done.returncode == errors.SetupError.exit_code
    assert "3.11 or newer" in done.stderr
    assert "This is Python 3.8" in done.stderr
    assert "Cure:" in done.stderr


def test_a_package_that_is_too_old_counts_as_missing() -> None:
    new, old = packages.Requirement("pytest", (8,)), packages.Requirement("pytest", (999,))
    elsewhere = packages.Requirement("no-such-package", (1,), platform="plan9")
    assert packages.missing([new, old, elsewhere]) == ["pytest"]


def test_a_requirement_of_another_form_is_refused() -> None:
    with pytest.raises(ValueError, match="name>=version"):
        packages._parse("orjson==3.10")
