"""Lesson 01: the price. With events the broker is the one that must be there: it is frozen for a second."""

import time
from collections.abc import Mapping, Sequence

import psutil

from labkit import lab
from labkit.base import settings
from labkit.base.checkpoint import checkpoint
from labkit.chaos.processes import frozen
from labkit.events.trace import now_ns
from labkit.harness.shop import Shop
from labkit.lessons.coupling import table
from labkit.lessons.coupling.drive import drive, sleep_to
from labkit.measure.result import Measure, Result
from labkit.provision import holder
from labkit.provision.model import NAMES

FREEZE_AT_S = 1.0


def run(
    freeze_s: float = 1.0,
    seconds: float = 3.5,
    designs: Sequence[str] = ("http", "kafka", "rabbitmq"),
    rate: float = 25.0,
    pids: Mapping[str, Sequence[int]] | None = None,
) -> Result:
    """Freeze the brokers for `freeze_s`, one second after the first order; `rate` orders a second for each design.

    pids: the brokers' processes; by default those of the lab that are native, which are the only ones we may freeze.
    The others are left alone, and the sentence says so. Takes about seconds + 3.
    deliveries: one row per checkout (see `table.checkouts`). measures: per design, and frozen_at, thawed_at.
    """
    found = native_pids() if pids is None else pids
    n = max(1, round(rate * seconds))
    measures: dict[str, Measure] = {}

    def meanwhile(begin_ns: int) -> None:
        sleep_to(begin_ns, FREEZE_AT_S)
        checkpoint(FREEZE_AT_S / seconds, "the brokers are frozen …")
        measures["frozen_at"] = _since(begin_ns)
        with frozen([pid for some in found.values() for pid in some]):
            time.sleep(freeze_s if found else 0)
        measures["thawed_at"] = _since(begin_ns)

    with Shop(lab.brokers()) as shop:
        shop.warm_up(designs)
        answers, begin_ns = drive(shop, designs, rate, n, meanwhile=meanwhile)
        table.settle(shop, answers)
        deliveries = table.checkouts(shop, answers, begin_ns)
        measures |= table.per_design(deliveries)
        provenance = shop.provenance(f"{n} orders per design, {rate:g}/s each, open loop")
    return Result(_sentence(found, freeze_s, measures, designs), deliveries, measures, provenance=provenance)


def native_pids() -> dict[str, list[int]]:
    """The processes of those brokers of the lab that run natively, by broker. Empty when none does."""
    told = holder.ask("status", settings.read().home) or {"brokers": []}
    found: dict[str, list[int]] = {}
    for broker in told["brokers"]:
        if broker["source"] == "native":
            found[broker["broker"]] = [pid for first in broker["pids"] for pid in _family(first)]
    return found


def _family(pid: int) -> list[int]:
    try:
        return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    except psutil.NoSuchProcess:
        return []


def _since(begin_ns: int) -> Measure:
    return Measure(round((now_ns() - begin_ns) / 1e9, 3), "s")


def _sentence(
    found: Mapping[str, Sequence[int]], freeze_s: float, measures: Mapping[str, Measure], designs: Sequence[str]
) -> str:
    parts = []
    for design in designs:
        slowest = measures[f"{design}_slowest"].value / 1000
        parts.append(f"{table.NAMES[design]}: slowest checkout {slowest:.2f} s")
    if not found:
        return "No broker was frozen: only native brokers can be, and none here is. " + "; ".join(parts) + "."
    who = " and ".join(NAMES[name] for name in found)
    return f"{who} stood still for {freeze_s:g} s. " + "; ".join(parts) + "."
