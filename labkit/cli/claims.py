"""`python -m labkit claims`: the README's table of claims, each with what the committed run measured.

A cell that shows a claim is tagged `claim:<slug>`, asserts it, and prints as its last line what it measured: that line
stands in the table. The slugs are in `labkit/teach/claims.toml`.
"""

import argparse
import re
import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.base.errors import LabError
from labkit.base.settings import course_root

HELP = "write the README's table of claims from the saved notebooks, or check it"

BEGIN, END = "<!-- claims:begin -->", "<!-- claims:end -->"
TAG = "claim:"
_HEADING = "## What is claimed, and what the saved run measured"


@dataclass(frozen=True)
class Claim:
    """A sentence about event-driven architecture, and the numbers of the lessons that show it."""

    slug: str
    sentence: str
    lessons: tuple[str, ...]


@dataclass(frozen=True)
class Shown:
    """A cell that shows a claim: in which notebook, what it printed last, whether it asserts something."""

    slug: str
    notebook: Path
    cell: str
    measured: str
    asserts: bool

    @property
    def lesson(self) -> str:
        return self.notebook.stem[:2]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--check", action="store_true", help="write nothing: say whether the table is up to date")


def run(args: argparse.Namespace) -> int:
    """0 when all is well, 1 when a claim is not shown as it should be, or when --check finds another table."""
    claims, readme = load(), course_root() / "README.md"
    notebooks = sorted((course_root() / "notebooks").glob("*.ipynb"))
    cells = find(notebooks)
    wrong = complaints(claims, cells, {path.stem[:2] for path in notebooks})
    before = readme.read_text(encoding="utf-8") if readme.is_file() else ""
    after = put(before, table(claims, cells))
    if args.check and after != before:
        wrong.append("The table in README.md is not what the notebooks say. Cure: python -m labkit claims")
    elif after != before:
        _write(readme, after)
    for sentence in wrong:
        print(f"  - {sentence}", file=sys.stderr)
    shown = {cell.slug for cell in cells}
    print(f"{len(shown & claims.keys())} of {len(claims)} claims are shown by a cell.")
    return 1 if wrong else 0


def load(file: Path | None = None) -> dict[str, Claim]:
    """All claims by their slug, in the order of the file. Raises LabError when the file is not as it should be."""
    file = file or course_root() / "labkit" / "teach" / "claims.toml"
    try:
        entries = tomllib.loads(file.read_text(encoding="utf-8"))
        return {slug: Claim(slug, entry["claim"], tuple(entry["lessons"])) for slug, entry in entries.items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LabError(f"{file.name} cannot be read: {error!r}.", "get it back: git checkout -- labkit") from error


def find(notebooks: Iterable[Path]) -> list[Shown]:
    """Every cell with a claim's tag. Raises LabError for a file that is no notebook."""
    from labkit.cli import notebook

    found = []
    for path in notebooks:
        for cell in notebook.read(path).cells:
            for tag in cell.metadata.get("tags", []):
                if tag.startswith(TAG):
                    slug = tag.removeprefix(TAG)
                    asserts = re.search(r"^\s*assert\b", cell.source, re.MULTILINE) is not None
                    found.append(Shown(slug, path, cell.get("id", "?"), _last_line(cell), asserts))
    return found


def complaints(claims: Mapping[str, Claim], cells: Sequence[Shown], lessons: Iterable[str]) -> list[str]:
    """What is wrong with the claims of the lessons that exist, a sentence each."""
    wrong = []
    for cell in cells:
        where = f"{cell.notebook.name}, cell {cell.cell}, {TAG}{cell.slug}"
        if cell.slug not in claims:
            wrong.append(f"{where}: there is no such claim.")
        elif cell.lesson not in claims[cell.slug].lessons:
            wrong.append(f"{where}: this claim belongs to lesson {' and '.join(claims[cell.slug].lessons)}.")
        if not cell.asserts:
            wrong.append(f"{where}: nothing is asserted.")
        if not cell.measured:
            wrong.append(f"{where}: it prints no last line that says what was measured.")
    shown = {(cell.slug, cell.lesson) for cell in cells}
    for claim in claims.values():
        wrong += [
            f"Lesson {lesson} does not show {claim.slug}: {claim.sentence}."
            for lesson in claim.lessons
            if lesson in set(lessons) and (claim.slug, lesson) not in shown
        ]
    return wrong


def table(claims: Mapping[str, Claim], cells: Sequence[Shown]) -> str:
    """The claims that are shown, as Markdown. Empty when none is."""
    rows = []
    for claim in claims.values():
        mine = [cell for cell in cells if cell.slug == claim.slug]
        if mine:
            links = {cell.lesson: f"[{cell.lesson}](notebooks/{cell.notebook.name})" for cell in mine}
            measured = "<br>".join(_escaped(cell.measured) for cell in mine)
            rows.append(f"| {_escaped(claim.sentence)} | {', '.join(links.values())} | {measured} |")
    if not rows:
        return ""
    head = ["| the claim | lesson | measured |", "|---|---|---|"]
    left = len(claims) - len(rows)
    rest = ["", f"{left} more claims wait for their lessons."] if left else []
    return "\n".join([_HEADING, "", *head, *rows, *rest])


def put(text: str, inner: str) -> str:
    """The text with `inner` between the two markers. Raises LabError when they are not there, once each."""
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise LabError("README.md has no place for the claims.", f"put {BEGIN} and {END} there, once, each on a line")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}\n{inner}{chr(10) if inner else ''}{END}{after}"


def _last_line(cell: Any) -> str:
    """The last line that the cell has printed."""
    printed = "".join(
        output.text
        for output in cell.get("outputs", [])
        if output.output_type == "stream" and output.get("name") == "stdout"
    )
    return next((line.strip() for line in reversed(printed.splitlines()) if line.strip()), "")


def _escaped(text: str) -> str:
    """Text for a cell of a Markdown table."""
    return re.sub(r"([\\|<>*_`\[\]])", r"\\\1", text)


def _write(path: Path, content: str) -> None:
    new = path.with_name(f".{path.name}.new")
    new.write_text(content, encoding="utf-8")
    new.replace(path)
