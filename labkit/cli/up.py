"""`python -m labkit up`: start both brokers and keep them until `down`."""

import argparse

from labkit.cli import wanted
from labkit.lab import Table
from labkit.provision import holder

HELP = "start both brokers and keep them running until `down`"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    wanted.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    hold = holder.start(wanted.read(args), lambda line: print(line, flush=True), who="labkit up")
    holder.ask("pin")
    print(Table(hold.brokers))
    print("\nThe lab runs until `python -m labkit down`.")
    return 0
