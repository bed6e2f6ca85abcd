"""`python -m labkit logs kafka`: what a broker has written, also after it has ended."""

import argparse
import time
from pathlib import Path

from labkit.base import settings
from labkit.base.errors import NotRunningError

HELP = "show a broker's log (kafka, rabbitmq or supervisor)"
FOLLOW_EVERY_S = 0.2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("broker", choices=("kafka", "rabbitmq", "supervisor"))
    parser.add_argument("-f", "--follow", action="store_true", help="go on as the log grows; Ctrl-C ends it")
    parser.add_argument("-n", "--lines", type=int, default=40, help="how many of the last lines (default: 40)")


def run(args: argparse.Namespace) -> int:
    folder = settings.read().home / "log"
    files = sorted(folder.glob(f"{args.broker}*.log"))
    if not files:
        raise NotRunningError(f"There is no log of {args.broker} in {folder}.", "`python -m labkit up` starts the lab")
    ends = {file: _show(file, args.lines, several=len(files) > 1) for file in files}
    while args.follow:
        time.sleep(FOLLOW_EVERY_S)
        ends = {file: _show_from(file, end) for file, end in ends.items()}
    return 0


def _show(file: Path, lines: int, several: bool) -> int:
    text = file.read_text(errors="replace")
    if several:
        print(f"== {file.name}")
    for line in text.splitlines()[-max(lines, 0) :] if lines > 0 else []:
        print(line)
    return file.stat().st_size


def _show_from(file: Path, start: int) -> int:
    """Print what has come since; a file that has become shorter was begun anew."""
    size = file.stat().st_size if file.exists() else 0
    if size != start:
        with file.open(errors="replace") as log:
            log.seek(start if size > start else 0)
            print(log.read(), end="", flush=True)
    return size
