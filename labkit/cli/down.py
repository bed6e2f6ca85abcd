"""`python -m labkit down`: stop the lab of this folder, whoever uses it."""

import argparse

from labkit.base import settings
from labkit.provision import holder

HELP = "stop both brokers"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    pass


def run(args: argparse.Namespace) -> int:
    home = settings.read().home
    if holder.stop(home):
        print("The lab has stopped.")
    else:
        print(f"No lab runs in {home}: nothing to stop. `python -m labkit up` starts one.")
    return 0
