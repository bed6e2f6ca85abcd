"""The same payments with real deaths: the consumer is a process, and each crash is its `kill -9`."""

import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Annotated, Any

from labkit import lab
from labkit.base import patience
from labkit.base.checkpoint import checkpoint
from labkit.base.errors import SettingError
from labkit.chaos.worker import Worker
from labkit.events.trace import Trace
from labkit.harness.kinds import Broker, Seed, Whole
from labkit.harness.settings import experiment
from labkit.lessons.idempotency import crashes, outcome, worker
from labkit.lessons.idempotency.charging import backend, orders, placed, work_dir
from labkit.lessons.idempotency.ledger import Ledger
from labkit.lessons.idempotency.predicted import Counts, predict
from labkit.lessons.idempotency.setting import CrashRate, Payments, Way, on_offer
from labkit.lessons.idempotency.steps import CARD, CARD_KEY, STRATEGIES, UPSERT
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
    Raises SettingError, BrokerError, WorkerError when the process ends in another way, NotInTimeError, CancelledError.
    """
    on_offer(strategy, broker)
    if STRATEGIES[strategy].effect in (CARD, CARD_KEY):
        raise SettingError("The card company is not part of this series.", "take a strategy with the ledger")
    way, keys = STRATEGIES[strategy], orders(payments)
    plan, trace, begun_s = crashes.planned(keys, seed, crash_rate), Trace(), time.monotonic()
    with ExitStack() as stack:
        folder = stack.enter_context(work_dir())
        ledger = stack.enter_context(closing(Ledger(folder / "ledger.db", by_order=way.effect == UPSERT)))
        its = stack.enter_context(backend(broker, trace))
        its.publish(placed(keys))
        order = {
            "broker": broker, "name": its.name, "strategy": strategy, "payments": payments,
            "interval_ms": interval_ms, "ledger": str(folder / "ledger.db"), **_address(broker),
        }  # fmt: skip
        crashed = _lives(order, plan, folder)
        trace.read_folder(folder)
        found = Counts(ledger.counts(), {}, keys)
    return _result(strategy, broker, found, predict(way, keys, plan), crashed, trace, time.monotonic() - begun_s, seed)


def _address(broker: str) -> dict[str, Any]:
    """How the process reaches the broker."""
    brokers = lab.brokers(broker)
    return {"config": brokers.kafka_config()} if broker == "kafka" else {"url": brokers.rabbitmq_url()}


def _lives(order: Mapping[str, Any], plan: Mapping[str, str], folder: Path) -> dict[str, str]:
    """One process after the other, until one ends in peace. Returns the crashes: payment -> point."""
    crashed: dict[str, str] = {}
    acked = 0
    while True:
        words = f"killed {len(crashed)} times" if crashed else "the first life …"
        checkpoint(len(crashed) / max(len(plan), 1), words)
        left = {key: point for key, point in plan.items() if key not in crashed}
        mine = {"plan": left, "acked": acked, "trace": str(folder / f"life-{len(crashed):04}.jsonl")}
        with Worker(worker.live, {**order, **mine}, name="consumer") as one:
            answer = one.receive(patience.seconds(_LIFE_S))
            if answer is None:
                return crashed
            key, point, acked = answer
            one.kill()
            crashed[key] = point


def _result(
    strategy: str,
    broker: str,
    found: Counts,
    predicted: Counts,
    crashed: Mapping[str, str],
    trace: Trace,
    seconds: float,
    seed: int,
) -> Result:
    total, kills = len(found.keys), len(crashed)
    same = "the same as on paper" if found.charged == predicted.charged else "not the same as on paper"
    sentence = (
        f"“{strategy}” on {NAMES[broker]}, {kills} times kill -9 in {total} payments: {len(found.lost)} never charged, "
        f"{len(found.doubled)} charged more than once, {same}."
    )
    settings = f"{total} payments · {kills} × kill -9 · seed {seed}"
    return Result(
        sentence,
        outcome.table(strategy, broker, found, predicted, kills, seconds),
        outcome.measures(found, predicted, Measure(kills, "kills"), seconds),
        outcome.affected(found, crashed, trace),
        {"broker": lab.brokers(broker).stamp, "settings": settings},
        trace,
    )
