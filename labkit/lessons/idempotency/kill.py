"""The same payments with real deaths: the consumer is a process, and each crash is its `kill -9`."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

from labkit import lab
from labkit.base.checkpoint import checkpoint
from labkit.base.errors import SettingError
from labkit.base.settings import course_root
from labkit.chaos.processes import ServiceError
from labkit.events.trace import ACKED, Trace, read
from labkit.harness.clearing import cleared
from labkit.harness.kinds import Broker, Seed, Whole
from labkit.harness.settings import experiment
from labkit.lessons.idempotency import crashes, outcome
from labkit.lessons.idempotency.charging import orders, placed, side_of, workshop
from labkit.lessons.idempotency.ledger import Ledger
from labkit.lessons.idempotency.paper import Counts, predict
from labkit.lessons.idempotency.setting import CrashRate, Payments, Way, on_offer
from labkit.lessons.idempotency.side import OnKafka, OnRabbitMQ
from labkit.lessons.idempotency.steps import CARD, CARD_KEY, STRATEGIES, UPSERT
from labkit.lessons.idempotency.victim import CRASHED
from labkit.measure.result import Measure, Result
from labkit.provision.model import NAMES

_LIFE_S = 40.0


@experiment
def run(
    strategy: Way = "work first",
    broker: Broker = "kafka",
    payments: Payments = 200,
    crash_rate: CrashRate = 0.04,
    seed: Seed = 1,
    interval_ms: Annotated[int, Whole(1, 60_000, control=False)] = 5000,
) -> Result:
    """Take 200 payments with a consumer process that dies by `kill -9` where the seed says, and is started again.

    On Kafka it is a static member of its group, so that the group waits for it. interval_ms: of automatic commit.
    measures: payments, crashes, lost, doubled, extra, predicted_lost, predicted_doubled, seconds. On paper, an
    automatic commit never comes in time.
    Raises SettingError, BrokerError, ServiceError when the process ends in another way, CancelledError.
    """
    on_offer(strategy, broker)
    if STRATEGIES[strategy].effect in (CARD, CARD_KEY):
        raise SettingError("The card company is not part of this series.", "take a strategy with the ledger")
    way, keys = STRATEGIES[strategy], orders(payments)
    plan, trace, begun_s = crashes.planned(keys, seed, crash_rate), Trace(), time.monotonic()
    with ExitStack() as end:
        folder = workshop(end)
        books = Ledger(folder / "ledger.db", by_order=way.effect == UPSERT)
        end.callback(books.close)
        side = side_of(broker, trace)
        end.enter_context(cleared(side.close))
        side.open(placed(keys))
        order = _order(side, broker, strategy, payments, interval_ms, folder)
        struck = _lives(order, plan, folder)
        trace.read_folder(folder)
        found = Counts(books.counts(), {}, keys)
    return _result(strategy, broker, found, predict(way, keys, plan), struck, trace, time.monotonic() - begun_s, seed)


def _order(
    side: OnKafka | OnRabbitMQ, broker: str, strategy: str, payments: int, interval_ms: int, folder: Path
) -> dict[str, Any]:
    """What the process is told. By its standard input: a password has no place in a command line."""
    running = next(one for one in lab.running() if one.broker == broker)
    return {
        "broker": broker,
        "config": dict(running.client) if broker == "kafka" else {},
        "url": running.client.get("url", ""),
        "name": side.name,
        "strategy": strategy,
        "payments": payments,
        "interval_ms": interval_ms,
        "ledger": str(folder / "ledger.db"),
    }


def _lives(
    order: dict[str, Any],
    plan: Mapping[str, str],
    folder: Path,
) -> dict[str, str]:
    """One process after the other, until one ends in peace. Returns the crashes that struck."""
    struck: dict[str, str] = {}
    acked: set[str] = set()
    life = 0
    while True:
        checkpoint(len(struck) / max(len(plan), 1), f"killed {len(struck)} times" if struck else "the first life …")
        life += 1
        lines = folder / f"life-{life:04}.jsonl"
        left = {key: point for key, point in plan.items() if key not in struck}
        code = _live({**order, "plan": left, "acked": len(acked), "trace": str(lines)}, folder / "victim.log")
        rows, _ = read(folder)
        acked = {row.key for row in rows if row.what == ACKED}
        before, struck = len(struck), {row.key: row.note for row in rows if row.what == CRASHED}
        if code == 0:
            return struck
        if len(struck) == before:  # it died, and not by its own hand
            raise ServiceError(
                f"The consumer process ended with code {code}: {_said(folder / 'victim.log')}",
                "run it again; look at `python -m labkit status`",
            )


def _said(log: Path) -> str:
    """The last thing that it said, without its cure: ours stands beside it."""
    said = [line for line in log.read_text(errors="replace").splitlines() if line and not line.startswith("  Cure:")]
    return said[-1] if said else "it said nothing"


def _live(order: dict[str, Any], log: Path) -> int:
    """One life of the process; its exit code, below 0 when a signal ended it."""
    argv = [sys.executable, "-m", "labkit.lessons.idempotency.victim"]
    with log.open("ab") as said:
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=said, stderr=said, cwd=course_root())
        late = threading.Timer(_LIFE_S, process.kill)  # its silence must not hold us for ever
        late.start()
        try:
            assert process.stdin
            process.stdin.write(json.dumps(order).encode() + b"\n")
            process.stdin.flush()
            return process.wait()
        finally:
            late.cancel()
            process.kill()
            process.wait()
            try:
                if process.stdin:
                    process.stdin.close()
            except OSError:
                pass


def _result(
    strategy: str,
    broker: str,
    found: Counts,
    paper: Counts,
    struck: dict[str, str],
    trace: Trace,
    seconds: float,
    seed: int,
) -> Result:
    total, kills = len(found.keys), len(struck)
    same = "the same as on paper" if found.charged == paper.charged else "not the same as on paper"
    sentence = (
        f"“{strategy}” on {NAMES[broker]}, {kills} times kill -9 in {total} payments: {len(found.lost)} never charged, "
        f"{len(found.doubled)} charged more than once, {same}."
    )
    provenance = {"broker": outcome.label(broker), "settings": f"{total} payments · {kills} × kill -9 · seed {seed}"}
    return Result(
        sentence,
        outcome.table(strategy, broker, found, paper, kills, seconds),
        outcome.measures(found, paper, Measure(kills, "kills"), seconds),
        outcome.wronged(found, struck, trace),
        provenance,
        trace,
    )
