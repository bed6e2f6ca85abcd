"""python -m labkit <command>. Each command is a module here, imported only when it is called.

A command's module has `HELP` (one line), `add_arguments(parser)` and `run(args) -> exit code`. At its top it imports
only the standard library and what needs no more: `--help` works before any package is installed. A test keeps that.
"""

import argparse
import difflib
import importlib
import os
import sys
from collections.abc import Sequence
from types import ModuleType

from labkit import __version__
from labkit.base.errors import LabError

COMMANDS = ("open", "test", "up", "down", "status", "logs", "doctor", "freshen", "claims", "truth", "bench")

_OVERVIEW = """\
usage: python -m labkit <command> [options]

A course on event-driven architecture, on real brokers. Start with: python -m labkit open

{commands}

python -m labkit <command> --help tells more."""

_STOPPED_BY_USER = 130  # what a shell reports after Ctrl-C
_READER_WENT_AWAY = 141  # the same for `python -m labkit logs kafka | head`


def main(argv: Sequence[str]) -> int:
    """Run one command. Returns its exit code: 0, the `exit_code` of a LabError, or 2 for a wrong command line."""
    _print_anything()
    name = argv[0] if argv else "--help"
    if name in ("-h", "--help"):
        print(overview())
        return 0
    if name == "--version":
        print(f"labkit {__version__}")
        return 0
    if name not in COMMANDS:
        return _unknown(name)
    module = command(name)
    parser = argparse.ArgumentParser(prog=f"python -m labkit {name}", description=module.HELP)
    module.add_arguments(parser)
    args = parser.parse_args(argv[1:])
    try:
        code: int = module.run(args)
        sys.stdout.flush()
        return code
    except LabError as error:
        return print_error(error)
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return _STOPPED_BY_USER
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the interpreter flushes once more at its end
        return _READER_WENT_AWAY


def command(name: str) -> ModuleType:
    """The module of a command in COMMANDS."""
    return importlib.import_module(f"labkit.cli.{name}")


def overview() -> str:
    """What `python -m labkit --help` prints."""
    commands = "\n".join(f"  {name:<9}{command(name).HELP}" for name in COMMANDS)
    return _OVERVIEW.format(commands=commands)


def print_error(error: LabError) -> int:
    """Print what happened and its cure on standard error. Returns the error's exit code."""
    print(f"labkit: {error}", file=sys.stderr)
    return error.exit_code


def _unknown(name: str) -> int:
    near = difflib.get_close_matches(name, COMMANDS, n=1)
    cure = f"did you mean `python -m labkit {near[0]}`?" if near else f"known are: {', '.join(COMMANDS)}"
    print(f"labkit: There is no command {name!r}.\n  Cure: {cure}", file=sys.stderr)
    return 2


def _print_anything() -> None:
    """A terminal that lacks a character shows a question mark in its place, instead of a UnicodeEncodeError."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
