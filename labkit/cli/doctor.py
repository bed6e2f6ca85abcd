"""`python -m labkit doctor`: is this machine fit for the course, and does the lab work?"""

import argparse
import json
from dataclasses import asdict

from labkit.base import settings

HELP = "look for what is wrong, and say the cure (exit code 1: something is bad)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON object, for programs")
    parser.add_argument("--quick", action="store_true", help="only look at the machine, start nothing")


def run(args: argparse.Namespace) -> int:
    # Here and not above: `--help` works before any package is installed.
    from labkit.doctor import report

    found = []
    for finding in report.look(settings.read(), args.quick):
        found.append(finding)
        if not args.json:
            print(f"{finding.level:<5}{finding.name}: {finding.seen}", flush=True)
            if finding.cure:
                print(f"       cure: {finding.cure}", flush=True)
    line = report.one_line(found)
    if args.json:
        print(json.dumps({"findings": [asdict(finding) for finding in found], "line": line}, indent=2))
    else:
        print(f"\nFor your instructor:\n{line}")
    return 1 if any(finding.level == "bad" for finding in found) else 0
