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

from labkit.base import lock, names, patience, settings
from labkit.base.errors import LabError, NotInTimeError
from labkit.cli._groups import Groups
from labkit.cli._parts import Bench, Counts, heading
from labkit.provision import holder

HELP = "run every test: style, types, units, brokers, notebooks, browser"

GRACE_S = 120  # a test run that was killed leaves its brokers behind no longer than this
CONCURRENT = 2.0  # what runs beside others may take so many times as long as alone
_SIGNALS = ("SIGTERM", "SIGHUP")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("lesson", nargs="?", help="only this lesson (ordering, or 08), with all that belongs to it")
    parser.add_argument("-k", metavar="EXPR", help="only tests whose name matches, as in pytest; no style and types")
    parser.add_argument("--fast", action="store_true", help="no notebooks and no browser")
    parser.add_argument("--style", action="store_true", help="only style, types and floors: no brokers")
    parser.add_argument("--rounds", type=_count, default=1, metavar="N", help="run the notebooks N times on one lab")
    parser.add_argument("--bench", action="store_true", help="report at the end what labkit costs beside bare clients")
    parser.add_argument("--durations", action="store_true", help="say where the time went, by folder and by test")


def run(args: argparse.Namespace) -> int:
    """0 when nothing failed and at least one test ran, else 1."""
    start = time.monotonic()
    with ExitStack() as stack:
        stack.enter_context(_ended_by_signals())
        home = stack.enter_context(_private_home(settings.read()))
        bench = Bench(settings.course_root(), _environment(home, _patience()), home / "reports", args.durations)
        if args.style:
            total = bench.style().printed()
        else:
            total = _on_a_lab(bench, home, args, stack, start)
    print(f"\nThe whole run took {time.monotonic() - start:.0f} s.")
    print(total)
    return 0 if total.passed and not total.failed else 1


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 100:
        raise argparse.ArgumentTypeError("must be from 1 to 100")
    return number


def _patience() -> float:
    """What `LABKIT_PATIENCE` says, or else what a fixed loop says of this machine: its speed, and how busy it is."""
    if os.environ.get("LABKIT_PATIENCE"):
        return patience.factor()
    slowness = patience.measured_slowness()
    factor = round(CONCURRENT * max(1.0, slowness), 1)
    print(
        f"A fixed loop takes {slowness:.1f} times as long as on a quiet machine: limits are {factor:g} times as long."
    )
    return min(factor, 30.0)


def _on_a_lab(bench: Bench, home: Path, args: argparse.Namespace, stack: ExitStack, start: float) -> Counts:
    """Everything that may need brokers, and style beside it. The lab is held from here to the end of the run."""
    heading("brokers")
    found = replace(settings.read(bench.env), home=home)
    os.environ["LABKIT_GRACE_S"] = str(GRACE_S)  # the supervisor inherits it from us
    stack.callback(_stop_labs, home)
    try:
        hold = holder.start(None, lambda line: print(line, flush=True), "python -m labkit test", found)
    except LabError as error:
        print(f"The lab did not start: {error}", flush=True)
        return Counts(failed=1)
    stack.callback(hold.close)
    print(*(broker.label for broker in hold.brokers), sep="\n", flush=True)
    return Groups(bench, args, start).run()


def _stop_labs(home: Path) -> None:
    """The lab of a run, and those of its workers, which `conftest.py` puts beside it."""
    for lab in (home, *home.glob("gw*")):
        holder.stop(lab)


@contextmanager
def _private_home(lab: settings.Settings) -> Iterator[Path]:
    """A folder for this run alone, beside the learner's lab. Removed at the end; what a killed run left goes too."""
    runs = lab.home / "tests"
    for left in sorted(runs.glob("t-*")):
        with suppress(NotInTimeError), lock.held(left / "in-use", within_s=0):
            _stop_labs(left)
            shutil.rmtree(left, ignore_errors=True)
    home = runs / names.fresh("t")
    with lock.held(home / "in-use", within_s=10):
        (home / "reports").mkdir()
        try:
            yield home
        finally:
            shutil.rmtree(home, ignore_errors=True)


def _environment(home: Path, factor: float = 1.0) -> dict[str, str]:
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
    own = {"LABKIT_GRACE_S": str(GRACE_S), "LABKIT_PATIENCE": str(factor)}
    return os.environ | {name: str(folder) for name, folder in folders.items()} | own


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
