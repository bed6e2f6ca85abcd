"""Which interpreter runs a command, and the step into it.

An interpreter that has the packages (conda, your own environment) is used as it is, and nothing is made. Else the
course makes `.venv` for itself, once, and every later start goes straight there.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from labkit import cli
from labkit.base import lock, settings
from labkit.base.errors import LabError, SetupError
from labkit.bootstrap import install, packages
from labkit.bootstrap.venv import Venv
from labkit.provision import state

IN_VENV = "LABKIT_IN_VENV"  # set for the process we become, so that it does not look for an interpreter again
_LIGHT = ("down", "status")  # where no lab runs, these need no packages to say so
_TIMEOUT_S = 3600.0


def main(argv: Sequence[str]) -> int:
    """Run `python -m labkit <argv>` in an interpreter that has what the command needs. Returns the exit code."""
    # Taken away at once: a terminal inside JupyterLab must not inherit it.
    arrived = os.environ.pop(IN_VENV, None)
    if arrived or not _needs_packages(argv):
        return cli.main(argv)
    try:
        python = _interpreter("test" if argv[0] == "test" else None, argv[0] in _LIGHT)
    except LabError as error:
        return cli.print_error(error)
    except KeyboardInterrupt:
        say("stopped; a half-made .venv is made anew next time")
        return 130
    return cli.main(argv) if python is None else _step_into(python, argv)


def say(line: str) -> None:
    """One line of progress, on standard error: standard output belongs to the command."""
    print(f"labkit: {line}", file=sys.stderr, flush=True)


def _needs_packages(argv: Sequence[str]) -> bool:
    """Help, and a command that does not exist, need nothing."""
    return bool(argv) and argv[0] in cli.COMMANDS and not {"-h", "--help"} & set(argv)


def _interpreter(extra: str | None, light: bool) -> Path | None:
    """The Python to step into; None when the running one will do."""
    root, lab = settings.course_root(), settings.read()
    if not (root / "pyproject.toml").exists():
        return None  # installed like any other package, with its dependencies
    places = [Venv(root / ".venv", root), Venv(lab.home / "venv", root)]
    here = next((place for place in places if place.is_running_here() and not place.is_foreign()), None)
    if here is None and not packages.missing(packages.required(root, extra)):
        _show_labkit_to_children(root)
        return None
    for place in places:
        if place.is_ready(extra) or (place.is_foreign() and place.serves(extra)):
            return None if place.is_running_here() else place.python
    if light and not state.file(lab.home).exists():
        return None
    return _make(_first_writable(places), extra, lab)


def _first_writable(places: Sequence[Venv]) -> Venv:
    for place in places:
        if not place.is_foreign() and install.is_writable(place.folder.parent):
            return place
    raise SetupError(
        f"The course needs a folder for its Python packages, and cannot write {places[0].folder.parent}.",
        "set LABKIT_HOME to a folder that you can write",
    )


def _make(place: Venv, extra: str | None, lab: settings.Settings) -> Path:
    def waiting() -> None:
        say(f"another start is setting up {place.folder}; waiting for it")

    try:
        with lock.held(lab.home / "bootstrap.lock", _TIMEOUT_S, waiting) as hold:
            if not place.is_ready(extra):
                say(f"putting the course's Python packages into {place.folder} (once; nothing else is changed)")
                install.fill(place, place.lock_for(extra), lab.cache, hold, say)
    except OSError as error:
        raise install.storage_error(str(error)) from error
    return place.python


def _step_into(python: Path, argv: Sequence[str]) -> int:
    """Become `python -m labkit <argv>`. Returns only on Windows, which cannot replace a process."""
    os.environ[IN_VENV] = "1"
    command = [str(python), "-m", "labkit", *argv]
    if os.name == "nt":
        return subprocess.run(command).returncode
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(command[0], command)


def _show_labkit_to_children(root: Path) -> None:
    """Kernels work in `notebooks` and need to find labkit, also where it was not installed."""
    if packages.missing([packages.Requirement("labkit", ())]):
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
