"""`python -m labkit status`: what runs, who uses it, and until when."""

import argparse
import json
from typing import Any

from labkit.base import settings
from labkit.lab import Table
from labkit.provision import holder
from labkit.provision.model import Running

HELP = "show what runs where (exit code 0: ready, 3: no lab runs, 4: not ready)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON object, for programs")


def run(args: argparse.Namespace) -> int:
    home = settings.read().home
    told = holder.ask("status", home)
    if args.json:
        print(json.dumps({"home": str(home), **(told or {"phase": "stopped", "brokers": []})}, indent=2))
    elif told is None:
        print(f"No lab runs in {home}. `python -m labkit up` starts one.")
    else:
        _print(told)
    if told is None:
        return 3
    return 0 if told["phase"] == "ready" and all(broker["alive"] for broker in told["brokers"]) else 4


def _print(told: dict[str, Any]) -> None:
    if told["phase"] != "ready":
        print(f"The lab is {told['phase']}. {' '.join(told['progress'])}")
    brokers = []
    for broker in told["brokers"]:
        known = {key: value for key, value in broker.items() if key not in ("alive", "pids")}
        brokers.append(Running(client={}, **known))
        if not broker["alive"]:
            print(f"{brokers[-1].label}: has died. It is started again when a notebook runs `lab.start()`; see `logs`.")
    if brokers:
        print(Table(brokers))
    pages = [broker.notes["management"] for broker in brokers if "management" in broker.notes]
    if pages:
        print(f"RabbitMQ's management page: {pages[0]}")
    users = ", ".join(user["who"] for user in told["holders"]) or "nobody"
    end = "runs until `down`" if told["pinned"] else f"stops itself {told['grace_s']:g} s after the last user has gone"
    print(f"Used by: {users}. It {end}.")
