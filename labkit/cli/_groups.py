"""What `python -m labkit test` runs, in which groups, and what of it is left out when time is short.

Most tests wait more than they work, so they run side by side (pytest-xdist): more workers than cores, one lab for all
of them, names of their own. What measures time is marked `alone` and runs by itself at the end.
"""

import argparse
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from labkit.base import browser, patience
from labkit.base.errors import SettingError
from labkit.cli._parts import Bench, Counts

CELL_TIMEOUT_S = 120
TEST_TIMEOUT_S = 120
_TITLES = {"browser": "browser", "alone": "tests that measure time, alone"}
REPEATS_WITHIN_S = 40 * 60  # a repeat starts only before that, so that a slow machine ends within its 90 minutes


@dataclass(frozen=True)
class Groups:
    """The groups of one run. started_s: when it began (`time.monotonic`)."""

    bench: Bench
    args: argparse.Namespace
    started_s: float

    def run(self) -> Counts:
        """Run each group once, then what repeats. Style goes beside the first group; its words come after it."""
        whole = not (self.args.k or self.args.lesson)
        with ThreadPoolExecutor(1) as beside:
            style = beside.submit(self.bench.style) if whole else None
            total = self._tests_side_by_side()
            if style is not None:
                total += style.result().printed()
        if not self.args.fast:
            total += self._lessons("notebooks") + self._browser()
        total += self._marked("alone")
        return total + self._repeats()

    def _tests_side_by_side(self) -> Counts:
        return self._spread("tests", _workers(), "-p", "no:nbval", "-m", "not browser and not alone", *self._tests())

    def _lessons(self, title: str) -> Counts:
        """The notebooks. They measure time: a second one beside it, which mostly waits, is all that they can bear."""
        limit = f"--nbval-cell-timeout={CELL_TIMEOUT_S * patience.factor(self.bench.env):.0f}"
        return self._spread(title, 2, "--nbval-lax", limit, *self._notebooks())

    def _browser(self) -> Counts:
        if browser.find() is None:
            print(f"\nThere is no Chromium here: no lesson is looked at in a browser. To do so: {browser.CURE}.")
        return self._marked("browser", "-n", "2", "--dist", "loadscope")

    def _repeats(self) -> Counts:
        """What was run once already, and the report of the benchmark: only while there is time."""
        total, left_out = Counts(), []
        for number in range(2, self.args.rounds + 1):
            title = f"notebooks, round {number} of {self.args.rounds}"
            if self.args.fast or not self._in_time():
                left_out.append(title)
            else:
                total += self._lessons(title)
        if self.args.bench:
            if self._in_time():
                self.bench.report("what labkit costs beside bare clients (a report, no test)", "bench", "--rounds", "1")
            else:
                left_out.append("the report of the benchmark")
        for title in left_out:
            why = "--fast" if self.args.fast else f"more than {REPEATS_WITHIN_S / 60:.0f} minutes had passed"
            print(f"\nLeft out: {title} ({why}).", flush=True)
        return total

    def _in_time(self) -> bool:
        return time.monotonic() - self.started_s < REPEATS_WITHIN_S

    def _marked(self, mark: str, *arguments: str) -> Counts:
        """Only the files that name the mark: to read all the others takes seconds of each worker."""
        files = sorted(file for folder in self._tests() for file in (self.bench.root / folder).rglob("test_*.py"))
        chosen = [str(file) for file in files if f"mark.{mark}" in file.read_text("utf-8")]
        if not chosen:
            return Counts()
        title = _TITLES[mark]
        return self._pytest(title, "-p", "no:nbval", *arguments, "-m", mark, *chosen)

    def _spread(self, title: str, workers: int, *arguments: str) -> Counts:
        """Side by side. What stays together on one worker, `conftest.py` says."""
        return self._pytest(title, "-n", str(max(1, workers)), "--dist", "loadscope", *arguments)

    def _pytest(self, title: str, *arguments: str) -> Counts:
        limit = f"--timeout={TEST_TIMEOUT_S * patience.factor(self.bench.env):.0f}"
        chosen = ["-k", self.args.k] if self.args.k else []
        return self.bench.pytest(title, limit, *chosen, *arguments)

    def _tests(self) -> list[str]:
        if self.args.lesson is None:
            return ["tests"]
        return [f"tests/lessons/{_slug(self._notebooks()[0])}"]

    def _notebooks(self) -> list[str]:
        """All lessons, or the one that was named, by its slug or its number. Raises SettingError for no lesson."""
        found = sorted((self.bench.root / "notebooks").glob("*.ipynb"))
        lesson = self.args.lesson
        if lesson is None:
            return [str(path) for path in found]
        mine = [str(path) for path in found if lesson in (path.stem, path.stem.partition("_")[0], _slug(str(path)))]
        if not mine:
            known = ", ".join(_slug(str(path)) for path in found)
            raise SettingError(f"There is no lesson {lesson!r}.", f"name one of: {known}")
        return mine


def _slug(notebook: str) -> str:
    """`08_ordering.ipynb` is the lesson `ordering`."""
    return Path(notebook).stem.partition("_")[2]


def _workers() -> int:
    """Two for each core: most of a test's time is waiting for a broker."""
    return max(2, min(8, 2 * (os.cpu_count() or 2)))
