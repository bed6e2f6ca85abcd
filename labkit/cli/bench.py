"""`python -m labkit bench`: what labkit itself costs, against the bare clients doing the same work."""

import argparse
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labkit.bench.compare import Comparison

HELP = "measure what labkit adds to the bare clients, and what a trace costs"

GOAL = 0.9  # of the bare client's speed; told, not enforced


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON object, for programs")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured (default: 3)")
    parser.add_argument("--quick", action="store_true", help="small numbers: shows that it runs, measures nothing")


def run(args: argparse.Namespace) -> int:
    from labkit.bench import run as bench  # it needs the packages, and --help does not
    from labkit.bench.compare import machine

    about = machine()  # before the load that we make ourselves
    lines, brokers = bench.everything(max(1, args.rounds), args.quick)
    about = {"brokers": brokers, **about, "rounds": str(max(1, args.rounds))}
    if args.json:
        print(json.dumps({"about": about, "goal": GOAL, "results": [line.to_dict() for line in lines]}, indent=2))
    else:
        _print(about, lines)
    return 0


def _print(about: dict[str, Any], lines: "list[Comparison]") -> None:
    print(" · ".join(f"{name} {value}" if name != "brokers" else value for name, value in about.items()))
    print(f"Each number is a median, with the range in brackets. Ratio: goal {GOAL:g} or more of the bare client.\n")
    head = ("", "n", "labkit", "bare client", "unit", "ratio", "labkit adds")
    rows = [head, *(_row(line) for line in lines)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    for row in rows:
        first, *rest = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join([first, *rest]).rstrip())


def _row(line: "Comparison") -> tuple[str, ...]:
    ratio, added = line.ratio(), line.added()
    return (
        line.name,
        f"{line.n:,}",
        _spread(line.labkit),
        _spread(line.bare),
        line.unit,
        "" if ratio is None else f"{ratio:.2f}",
        "" if added is None or line.higher else f"{added:+.3g} {line.unit}",
    )


def _spread(values: list[float]) -> str:
    if not values:
        return ""
    from statistics import median

    return f"{_short(median(values))} ({_short(min(values))}-{_short(max(values))})"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
