"""`python -m labkit truth`: what the brokers promise, asked of the brokers themselves."""

import argparse
import json
import sys
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labkit.truth.answer import Answer

HELP = "ask every broker the same questions, and print what they promise as a grid"

CHANGED = 1  # exit code of --check when an answer is not the kept one
WIDE, FIRST, CELL = 120, 44, 14  # columns of the terminal, of the question, of an answer
SIGNS = {"yes": "● yes", "no": "○ no", "conditions": "◐ if", "does not apply": "-", "not asked here": "?"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON object, with the rows that each answer rests on")
    parser.add_argument("--only", nargs="+", metavar="QUESTION", help="these questions, by name: replay kill …")
    parser.add_argument("--backends", nargs="+", metavar="BACKEND", help="these: kafka rabbitmq-quorum …")
    parser.add_argument("--kept", action="store_true", help="print the answers that the course keeps, without asking")
    parser.add_argument("--check", action="store_true", help=f"exit code {CHANGED} when an answer is not the kept one")
    parser.add_argument("--write", action="store_true", help="keep these answers as the course's (asks everything)")


def run(args: argparse.Namespace) -> int:
    from labkit.truth import grid  # they need the packages, and --help does not

    if args.kept:
        _print(_chosen(grid.committed(), args), list(grid.versions().values()))
        return 0
    from labkit import lab, truth
    from labkit.base.checkpoint import reporting

    lab.start()
    try:
        with reporting(_progress):
            result = truth.run(args.only, args.backends)
        brokers = grid.versions_of(lab.running())
    finally:
        lab.stop()
    answers = truth.answers(result)
    if args.json:
        print(json.dumps({"versions": brokers, "answers": [one.to_json() for one in answers]}, indent=1))
    else:
        _print(answers, list(brokers.values()))
    if args.write:
        grid.save(answers, brokers)
        print(f"Kept in {grid.FILE.name}.", file=sys.stderr)
    changed = grid.differences(answers, grid.committed(), brokers) if args.check else []
    for line in changed:
        print(f"Changed: {line}", file=sys.stderr)
    return CHANGED if changed else 0


def _chosen(answers: "Sequence[Answer]", args: argparse.Namespace) -> "list[Answer]":
    from labkit.truth import questions

    only = [questions.question(slug).slug for slug in args.only or [one.question for one in answers]]
    backends = [questions.backend(slug).slug for slug in args.backends or [one.backend for one in answers]]
    return [one for one in answers if one.question in only and one.backend in backends]


def _progress(share: float | None, words: str) -> None:
    if share is not None and sys.stderr.isatty():
        print(f"\r{share:4.0%}  {words[:100]:<100}", end="" if share < 1 else "\n", file=sys.stderr, flush=True)


def _print(answers: "Sequence[Answer]", brokers: Sequence[str]) -> None:
    for line in lines(answers, brokers):
        print(line)


def lines(answers: "Sequence[Answer]", brokers: Sequence[str]) -> list[str]:
    """The grid and below it the notes, at most WIDE columns."""
    from labkit.truth import questions

    backends = list(dict.fromkeys(one.backend for one in answers))
    notes: dict[str, int] = {}  # sentence → its number
    found = [" · ".join(brokers), ""]
    heads = [questions.backend(slug).short.split("\n") for slug in backends]
    for row in range(2):
        found.append(_row("", [(["", *head] if len(head) == 1 else head)[row] for head in heads]))
    for slug in dict.fromkeys(one.question for one in answers):
        cells = {one.backend: _cell(one, notes) for one in answers if one.question == slug}
        text = textwrap.wrap(f"{questions.question(slug).text} ({slug})", FIRST, break_on_hyphens=False)
        found.append("─" * WIDE)
        found += [_row(text[0], [cells.get(name, "") for name in backends]), *text[1:]]
    found += [
        "─" * WIDE,
        "",
        "● yes   ○ no   ◐ yes, if … (see the note)   -: has no meaning there   ?: not asked here",
        "",
    ]
    for sentence, number in notes.items():
        found += textwrap.wrap(f"[{number}] {sentence}", WIDE, subsequent_indent="     ")
    return found


def _cell(answer: "Answer", notes: dict[str, int]) -> str:
    """The sign, the word, and the number of the note: yes and no have one too, what was tried."""
    number = notes.setdefault(answer.sentence, len(notes) + 1)
    return f"{SIGNS[answer.word]} [{number}]"


def _row(first: str, cells: Sequence[str]) -> str:
    return "".join([first.ljust(FIRST + 1), *(cell.ljust(CELL + 1) for cell in cells)]).rstrip()
