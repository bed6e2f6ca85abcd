"""`python -m labkit freshen`: run notebooks on the lab and save their outputs, ready to be committed."""

import argparse
import sys
from pathlib import Path

from labkit.base.errors import LabError
from labkit.base.settings import course_root

HELP = "run notebooks from top to bottom and save their outputs, or check the saved ones"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("notebooks", nargs="*", type=Path, help="notebooks (default: all in notebooks/)")
    parser.add_argument("--check", action="store_true", help="run nothing: say whether what is saved may be committed")
    parser.add_argument("--timeout", type=float, default=120, metavar="S", help="seconds that a cell may take (120)")


def run(args: argparse.Namespace) -> int:
    """0 when every notebook is fresh, 1 when one is not. A notebook that fails keeps its old outputs."""
    from labkit.cli import notebook

    good = True
    for path in _paths(args.notebooks):
        wrong = notebook.check(path) if args.check else notebook.freshen(path, args.timeout)
        print(f"{path.name}: {'good' if args.check else 'fresh'}" if not wrong else f"{path.name}:")
        for sentence in wrong:
            print(f"  - {sentence}", file=sys.stderr)
        good = good and not wrong
    if not good and args.check:
        print("Cure: python -m labkit freshen", file=sys.stderr)
    return 0 if good else 1


def _paths(given: list[Path]) -> list[Path]:
    paths = given or sorted((course_root() / "notebooks").glob("*.ipynb"))
    if not paths:
        raise LabError("There are no notebooks to freshen.", "call it in a clone of the course, or name notebooks")
    return [path.absolute() for path in paths]
