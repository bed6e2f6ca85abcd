"""The parts of `python -m labkit test`: each runs one tool, shows what it prints, and is counted."""

import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_NOTHING_COLLECTED = 5  # pytest's exit code when no test was chosen


@dataclass(frozen=True)
class Counts:
    """How many tests of a part ended how."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed" + (f", {self.skipped} skipped" if self.skipped else "")


@dataclass(frozen=True)
class Done:
    """A part that ran beside others: its counts, and what it had to say."""

    counts: Counts
    words: str

    def printed(self) -> Counts:
        """Print the words, and hand on the counts."""
        print(self.words, flush=True)
        return self.counts


@dataclass(frozen=True)
class Bench:
    """Where the parts run: the course's folder, the environment of the tools, and a folder for their reports.

    durations: after each part of pytest, say where its time went.
    """

    root: Path
    env: Mapping[str, str]
    reports: Path
    durations: bool = False

    def style(self) -> Done:
        """Style, types and floors, each counted as one test."""
        here = [sys.executable, "-m"]
        floors = "from importlinter.cli import lint_imports_command as main; main(['--no-logo', '--no-cache'])"
        checks = {
            "style: ruff check": [*here, "ruff", "check", "--output-format=concise", "."],
            "style: ruff format": [*here, "ruff", "format", "--check", "--output-format=concise", "."],
            "types: mypy": [*here, "mypy"],
            "floors: import-linter": [sys.executable, "-c", floors],
        }
        done = [self._check(title, command) for title, command in checks.items()]
        return Done(sum((one.counts for one in done), Counts()), "\n".join(one.words for one in done))

    def pytest(self, title: str, *arguments: str) -> Counts:
        """Run pytest with `arguments` and count from its report. A run that breaks off counts as one failure."""
        heading(title)
        start = time.monotonic()
        report = self.reports / f"{len(list(self.reports.glob('*.xml')))}.xml"
        code = self._run([sys.executable, "-m", "pytest", "-rfEs", f"--junit-xml={report}", *arguments])
        counts = read_report(report)
        if code not in (0, _NOTHING_COLLECTED) and not counts.failed:
            counts += Counts(failed=1)
        if self.durations:
            print(*durations(report), sep="\n")
        print(_closing(title, counts, start), flush=True)
        return counts

    def report(self, title: str, *arguments: str) -> None:
        """Run `python -m labkit` with `arguments`, for what it prints."""
        heading(title)
        start = time.monotonic()
        code = self._run([sys.executable, "-m", "labkit", *arguments])
        print(f"--- {title}: exit code {code}, {time.monotonic() - start:.1f} s", flush=True)

    def _check(self, title: str, command: Sequence[str]) -> Done:
        start = time.monotonic()
        done = subprocess.run(
            command, cwd=self.root, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        counts = Counts(failed=1) if done.returncode else Counts(passed=1)
        return Done(counts, f"\n=== {title}\n{done.stdout}{_closing(title, counts, start)}")

    def _run(self, command: Sequence[str]) -> int:
        return subprocess.run(command, cwd=self.root, env=self.env, stdin=subprocess.DEVNULL).returncode


def read_report(report: Path) -> Counts:
    """Count the tests of a JUnit report. No report, no tests."""
    if not report.exists():
        return Counts()
    total = Counts()
    for suite in ElementTree.parse(report).iter("testsuite"):
        tests, skipped = int(suite.get("tests", 0)), int(suite.get("skipped", 0))
        failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        total += Counts(max(0, tests - failed - skipped), failed, skipped)
    return total


def durations(report: Path, slowest: int = 25) -> list[str]:
    """Where the time went, in lines: seconds (set-up, call, tear-down) by file, then the slowest tests."""
    if not report.exists():
        return []
    tests = [
        (float(case.get("time", 0)), f"{case.get('classname')}::{case.get('name')}")
        for case in ElementTree.parse(report).iter("testcase")
    ]
    files: dict[str, float] = {}
    for seconds, name in tests:
        file = name.partition("::")[0]
        files[file] = files.get(file, 0) + seconds
    by_file = sorted(((seconds, name) for name, seconds in files.items()), reverse=True)
    lines = ["seconds by file", *(f"{seconds:8.1f}  {name}" for seconds, name in by_file if seconds >= 1)]
    return [
        *lines,
        "the slowest tests",
        *(f"{seconds:8.1f}  {name}" for seconds, name in sorted(tests)[::-1][:slowest]),
    ]


def heading(title: str) -> None:
    print(f"\n=== {title}", flush=True)


def _closing(title: str, counts: Counts, start: float) -> str:
    return f"--- {title}: {counts} in {time.monotonic() - start:.1f} s"
