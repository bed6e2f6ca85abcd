"""python -m labkit test: everything that must hold before a change is taken, on a private lab."""

import argparse
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from labkit.base import browser, lock, names, settings
from labkit.base.errors import LabError, NotInTimeError
from labkit.cli._parts import Bench, Counts, heading
from labkit.provision import holder

HELP = "run every test: style, types, units, brokers, notebooks, browser"

CELL_TIMEOUT_S = 120
GRACE_S = 30  # a test run that was killed leaves its brokers behind no longer than this
_SIGNALS = ("SIGTERM", "SIGHUP")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-k", metavar="EXPR", help="only tests whose name matches, as in pytest; no style and types")
    parser.add_argument("--fast", action="store_true", help="no notebooks and no browser")
    parser.add_argument("--style", action="store_true", help="only style, types and floors: no brokers")
    parser.add_argument("--rounds", type=_count, default=1, metavar="N", help="run the notebooks N times on one lab")


def run(args: argparse.Namespace) -> int:
    """0 when nothing failed and at least one test ran, else 1."""
    start = time.monotonic()
    with ExitStack() as stack:
        stack.enter_context(_ended_by_signals())
        home = stack.enter_context(_private_home(settings.read()))
        bench = Bench(settings.course_root(), _environment(home), home / "reports")
        total = Counts() if args.k else bench.style()
        if not args.style:
            total += _on_a_lab(bench, home, args, stack)
    print(f"\nThe whole run took {time.monotonic() - start:.0f} s.")
    print(total)
    return 0 if total.passed and not total.failed else 1


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 100:
        raise argparse.ArgumentTypeError("must be from 1 to 100")
    return number


def _on_a_lab(bench: Bench, home: Path, args: argparse.Namespace, stack: ExitStack) -> Counts:
    """Everything that may need brokers. The lab is held from here to the end of the run."""
    heading("brokers")
    found = replace(settings.read(bench.env), home=home)
    os.environ["LABKIT_GRACE_S"] = str(GRACE_S)  # the supervisor inherits it from us
    stack.callback(holder.stop, home)
    try:
        hold = holder.start(None, lambda line: print(line, flush=True), "python -m labkit test", found)
    except LabError as error:
        print(f"The lab did not start: {error}", flush=True)
        return Counts(failed=1)
    stack.callback(hold.close)
    print(*(broker.label for broker in hold.brokers), sep="\n", flush=True)
    return _tests(bench, args)


def _tests(bench: Bench, args: argparse.Namespace) -> Counts:
    chosen = ["-k", args.k] if args.k else []
    total = bench.pytest("tests", "-p", "no:nbval", "-m", "not browser", *chosen, "tests")
    if args.fast:
        return total
    notebooks = bench.root / "notebooks"
    if any(notebooks.glob("*.ipynb")):
        for number in range(1, args.rounds + 1):
            title = "notebooks" if args.rounds == 1 else f"notebooks, round {number} of {args.rounds}"
            lax = ("--nbval-lax", f"--nbval-cell-timeout={CELL_TIMEOUT_S}", "--timeout=0")
            total += bench.pytest(title, *lax, *chosen, str(notebooks))
    if browser.find() is None:
        print(f"\nThere is no Chromium here, so no lesson is looked at in a browser. To do so: {browser.CURE}.")
    return total + bench.pytest("browser", "-p", "no:nbval", "-m", "browser", *chosen, "tests")


@contextmanager
def _private_home(lab: settings.Settings) -> Iterator[Path]:
    """A folder for this run alone, beside the learner's lab. Removed at the end; what a killed run left goes too."""
    runs = lab.home / "tests"
    for left in sorted(runs.glob("t-*")):
        with suppress(NotInTimeError), lock.held(left / "in-use", within_s=0):
            holder.stop(left)
            shutil.rmtree(left, ignore_errors=True)
    home = runs / names.fresh("t")
    with lock.held(home / "in-use", within_s=10):
        (home / "reports").mkdir()
        try:
            yield home
        finally:
            shutil.rmtree(home, ignore_errors=True)


def _environment(home: Path) -> dict[str, str]:
    """The environment of the tools: their lab is the private one, and whatever they write stays in the lab's folder."""
    cache = settings.read().cache
    folders = {
        "LABKIT_CACHE": cache,
        "LABKIT_HOME": home,
        "TMPDIR": home / "tmp",
        "IPYTHONDIR": home / "ipython",
        "JUPYTER_CONFIG_DIR": home / "jupyter",
        "JUPYTER_DATA_DIR": home / "jupyter",
        "JUPYTER_RUNTIME_DIR": home / "jupyter",
        "HYPOTHESIS_STORAGE_DIRECTORY": cache / "hypothesis",
        "MPLCONFIGDIR": cache / "matplotlib",
        "MYPY_CACHE_DIR": cache / "mypy",
        "RUFF_CACHE_DIR": cache / "ruff",
    }
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    return os.environ | {name: str(folder) for name, folder in folders.items()} | {"LABKIT_GRACE_S": str(GRACE_S)}


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """A polite end (SIGTERM, a closed terminal) takes the lab down like Ctrl-C does."""

    def end(number: int, _: object) -> None:
        sys.exit(128 + number)

    known = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
    before = {one: signal.signal(one, end) for one in known}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
