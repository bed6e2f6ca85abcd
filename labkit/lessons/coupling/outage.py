"""Lesson 01: what happens to checkout when inventory is down? It is killed and started again, and later frozen.

Inventory has one worker, for whom an order is 20 ms of work: 50 orders a second for each design, twice what comes.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from labkit import lab
from labkit.base.checkpoint import checkpoint
from labkit.events.trace import now_ns
from labkit.harness.shop import Shop
from labkit.lessons.coupling import table
from labkit.lessons.coupling.drive import drive, sleep_to
from labkit.lessons.coupling.wrong import doubles_and_losses
from labkit.measure.result import Measure, Result

LATE_MS = 500.0  # a customer who waits longer than this has noticed
WELL_MS = 250.0  # ten checkouts in a row under this, and the design is well again
ALL = ("http", "retries", "defended", "kafka", "rabbitmq")


def run(
    kill_s: tuple[float, float] | None = (2.0, 4.0),
    freeze_s: tuple[float, float] | None = (7.5, 9.5),
    seconds: float = 13.0,
    work_ms: float = 20.0,
    workers: int = 1,
    designs: Sequence[str] = ALL,
    rate: float = 25.0,
) -> Result:
    """Send `rate` orders a second to each design for `seconds`, while inventory is killed and frozen.

    kill_s: (killed, started again) in seconds from the first order, None for no kill; freeze_s: (frozen, thawed).
    work_ms, workers: what an order is for inventory, and how many it works on at a time, for each design.
    Takes about seconds + 4. deliveries: one row per checkout (see `table.checkouts`). measures: per design,
    and killed_at, back_at, frozen_at, thawed_at in seconds. anomalies: what was handled twice, or not at all.
    `table.backlog(result.deliveries, "kafka")`: how many events were waiting.
    """
    n = max(1, round(rate * seconds))
    with Shop(lab.brokers(), workers=workers) as shop:
        shop.warm_up(designs)
        shop.slow(work_ms)
        deliveries, moments = orders_meanwhile(shop, designs, rate, n, steps(shop, kill_s, freeze_s))
        trace = shop.trace()
        provenance = shop.provenance(
            f"{n} orders per design, {rate:g}/s each, the same outage for all",
            inventory=f"{workers} worker{'s' * (workers > 1)} of {work_ms:g} ms",
        )
    numbers = count(deliveries, moments)
    return Result(
        summarize(deliveries, numbers), deliveries, numbers, doubles_and_losses(trace, deliveries), provenance, trace
    )


class Step(NamedTuple):
    """Something that is done to inventory. at_s: when, in seconds from the first order. words: shown until then."""

    at_s: float
    name: str
    words: str
    act: Callable[[], None]


def steps(shop: Shop, kill_s: tuple[float, float] | None, freeze_s: tuple[float, float] | None) -> list[Step]:
    """Kill and start again, freeze and thaw, in the order of their times."""
    found: list[Step] = []
    if kill_s:
        found.append(Step(kill_s[0], "killed_at", "orders come in …", shop.inventory.kill))
        found.append(Step(kill_s[1], "restarted_at", "inventory is dead …", shop.inventory.begin))
        found.append(Step(kill_s[1], "back_at", "inventory starts again …", shop.inventory.until_ready))
    if freeze_s:
        found.append(Step(freeze_s[0], "frozen_at", "orders come in …", shop.inventory.freeze))
        found.append(Step(freeze_s[1], "thawed_at", "inventory is frozen …", shop.inventory.thaw))
    return sorted(found, key=lambda step: step.at_s)


def orders_meanwhile(
    shop: Shop,
    designs: Sequence[str],
    rate: float,
    n: int,
    trouble: Sequence[Step],
) -> tuple[pd.DataFrame, dict[str, float]]:
    """Send `n` orders to each design, do the steps at their times, wait until all is handled.

    The checkouts (`table.checkouts`), and when each step was really done, in seconds from the first order.
    """
    moments: dict[str, float] = {}

    def meanwhile(begin_ns: int) -> None:
        for step in trouble:
            checkpoint(step.at_s * rate / n, step.words)
            sleep_to(begin_ns, step.at_s)
            step.act()
            moments[step.name] = round((now_ns() - begin_ns) / 1e9, 3)
        checkpoint(None, "orders come in …")

    answers, begin_ns = drive(shop, designs, rate, n, meanwhile=meanwhile)
    checkpoint(1, "waiting until all is handled …")
    table.settle(shop, answers)
    return table.checkouts(shop, answers, begin_ns), moments


def count(deliveries: pd.DataFrame, moments: Mapping[str, float]) -> dict[str, Measure]:
    """What became of the orders, per design; and when what happened to inventory."""
    measures = {name: Measure(at, "s") for name, at in moments.items()}
    measures["load_lateness_p99"] = table.lateness_ms(deliveries)
    for design, mine in deliveries.groupby("design", sort=False):
        counts = {
            "sent": len(mine),
            "taken": int(mine["ok"].sum()),
            "failed": int((~mine["ok"]).sum()),
            "late": int((mine["ok"] & (mine["latency_ms"] > LATE_MS)).sum()),
            "reservations": int(mine["reservations"].sum()),
            "failed_but_reserved": int((~mine["ok"] & (mine["reservations"] > 0)).sum()),
            "taken_but_lost": int((mine["ok"] & (mine["reservations"] == 0) & (mine["dead"] == 0)).sum()),
            "dead": int((mine["dead"] > 0).sum()),
            "reserved_twice": int((mine["reservations"] > 1).sum()),
        }
        if "killed_at" in moments:
            down = mine[mine["due_s"].between(moments["killed_at"], moments["restarted_at"])]
            counts |= {"sent_while_dead": len(down), "failed_while_dead": int((~down["ok"]).sum())}
        measures |= {f"{design}_{name}": Measure(count, "orders") for name, count in counts.items()}
        if "thawed_at" in moments and (well := well_again_s(mine, moments["thawed_at"])) is not None:
            measures[f"{design}_well_after"] = Measure(well, "s")
        if design in table.EVENTS:
            measures |= waiting(deliveries, str(design), moments)
    return measures


def well_again_s(mine: pd.DataFrame, since_s: float, row: int = 10) -> float | None:
    """Seconds from `since_s` until the first of `row` checkouts in a row was due that were all taken, and quickly.

    None when that never came while the load lasted.
    """
    later = mine[mine["due_s"] >= since_s]
    good = (later["ok"] & (later["latency_ms"] < WELL_MS)).astype(int)
    starts = good.iloc[::-1].rolling(row).sum().iloc[::-1]  # at each row: how many of it and the next are good
    found = later.loc[starts == row, "due_s"]
    return round(float(found.iloc[0]) - since_s, 2) if len(found) else None


def waiting(deliveries: pd.DataFrame, design: str, moments: Mapping[str, float]) -> dict[str, Measure]:
    """The highest backlog. And of each outage: what waited at its end, and how long until (nearly) nothing did.

    A backlog that the next outage finds there was never worked off: then that many were left, and no seconds are told.
    """
    steps = table.backlog(deliveries, design)
    measures = {f"{design}_backlog": Measure(float(steps["waiting"].max()), "events")}
    for name, outage in (("back_at", "kill"), ("thawed_at", "freeze")):
        if name not in moments:
            continue
        end_s = moments[name]
        next_s = min([at for at in moments.values() if at > end_s], default=float("inf"))
        measures[f"{design}_waiting_after_{outage}"] = Measure(_at(steps, end_s), "events")
        drained = steps[steps["t_s"].between(end_s, next_s) & (steps["waiting"] <= 1)]
        if len(drained):
            seconds = round(float(drained["t_s"].iloc[0]) - end_s, 2)
            measures[f"{design}_drain_after_{outage}"] = Measure(seconds, "s")
        elif next_s < float("inf"):
            measures[f"{design}_left_after_{outage}"] = Measure(_at(steps, next_s), "events")
    return measures


def _at(steps: pd.DataFrame, at_s: float) -> float:
    """How many waited at that second."""
    before = steps.loc[steps["t_s"] <= at_s, "waiting"]
    return float(before.iloc[-1]) if len(before) else 0.0


def summarize(deliveries: pd.DataFrame, measures: Mapping[str, Measure]) -> str:
    """The outage in a sentence or two."""
    n = {str(design): len(mine) for design, mine in deliveries.groupby("design", sort=False)}
    parts = [f"{table.NAMES[d]}: {measures[f'{d}_failed'].value:.0f} of {n[d]} checkouts failed" for d in n]
    lost = sum(int(measures[f"{d}_taken_but_lost"].value) for d in n if d in table.EVENTS)
    twice = sum(int(measures[f"{d}_reserved_twice"].value) for d in n if d in table.EVENTS)
    end = f" Of the orders taken by events {lost or 'none'} got lost, and {twice or 'none'} was reserved twice."
    dead = sum(int(measures[f"{d}_dead"].value) for d in n)
    end += f" {dead} are among the dead letters, after too many tries." if dead else ""
    return "; ".join(parts) + "." + (end if set(n) & set(table.EVENTS) else "")
