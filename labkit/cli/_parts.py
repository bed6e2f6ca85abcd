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
class Bench:
    """Where the parts run: the course's folder, the environment of the tools, and a folder for their reports."""

    root: Path
    env: Mapping[str, str]
    reports: Path

    def style(self) -> Counts:
        """Style, types and floors, each counted as one test."""
        here = [sys.executable, "-m"]
        floors = "from importlinter.cli import lint_imports_command as main; main(['--no-logo', '--no-cache'])"
        return (
            self._check("style: ruff check", [*here, "ruff", "check", "--output-format=concise", "."])
            + self._check("style: ruff format", [*here, "ruff", "format", "--check", "--output-format=concise", "."])
            + self._check("types: mypy", [*here, "mypy"])
            + self._check("floors: import-linter", [sys.executable, "-c", floors])
        )

    def pytest(self, title: str, *arguments: str) -> Counts:
        """Run pytest with `arguments` and count from its report. A run that breaks off counts as one failure."""
        heading(title)
        start = time.monotonic()
        report = self.reports / f"{len(list(self.reports.glob('*.xml')))}.xml"
        code = self._run([sys.executable, "-m", "pytest", "-rfEs", f"--junit-xml={report}", *arguments])
        counts = read_report(report)
        if code not in (0, _NOTHING_COLLECTED) and not counts.failed:
            counts += Counts(failed=1)
        _closing(title, counts, start)
        return counts

    def _check(self, title: str, command: Sequence[str]) -> Counts:
        heading(title)
        start = time.monotonic()
        counts = Counts(failed=1) if self._run(command) else Counts(passed=1)
        _closing(title, counts, start)
        return counts

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


def heading(title: str) -> None:
    print(f"\n=== {title}", flush=True)


def _closing(title: str, counts: Counts, start: float) -> None:
    print(f"--- {title}: {counts} in {time.monotonic() - start:.1f} s", flush=True)
