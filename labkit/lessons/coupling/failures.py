"""Lesson 01: availability multiplies. Each service refuses some tries at random, and the seed says which."""

from collections.abc import Sequence
from typing import cast

import pandas as pd

from labkit import lab
from labkit.base.checkpoint import checkpoint
from labkit.chaos import predict
from labkit.chaos.faults import Fault, FaultPlan
from labkit.harness.shop import Shop
from labkit.lessons.coupling import table
from labkit.lessons.coupling.drive import drive
from labkit.measure.load import Answer
from labkit.measure.result import Measure, Result
from labkit.shop import checkout
from labkit.shop.config import REACTING

PATIENT_MS = 5000  # nothing is slow here: a timeout would only count the pauses of a busy machine


def run(
    rates: Sequence[float] = (0.01, 0.05),
    n: int = 200,
    designs: Sequence[str] = table.DESIGNS,
    rate: float = 40.0,
    seed: int = 1,
) -> Result:
    """Let each of the three services refuse tries with each probability of `rates`, `n` orders for each design.

    seed: which tries are refused. Takes about n / rate seconds for each of `rates`, and 3 s more.
    deliveries: one row per checkout (see `table.checkouts`) with its refuse (the probability), predicted and
    predicted_reserved: whether it must be taken, and reserved, by the seed. `compare(result.deliveries)` sets law,
    prediction and count side by side.
    """
    with Shop(lab.brokers(), timeout_ms=PATIENT_MS) as shop:
        shop.warm_up(designs)
        points: list[tuple[float, list[Answer]]] = []
        begin_ns = 0
        for i, refuse in enumerate(rates):
            checkpoint(i / len(rates), f"each service refuses {refuse:.0%} …")
            for service in REACTING:
                shop.faults(service, _plan(refuse, seed))
            answers, began_ns = drive(shop, designs, rate, n, skip=i * n)
            points.append((refuse, answers))
            begin_ns = begin_ns or began_ns
            table.settle(shop, answers)  # a try that is made later would meet the next probability
        frames = [
            _with_prediction(table.checkouts(shop, answers, begin_ns), refuse, _plan(refuse, seed))
            for refuse, answers in points
        ]
        deliveries = pd.concat(frames, ignore_index=True)
        load_words = f"{n} orders per design and probability, open loop, {rate:g}/s each"
        return _result(shop, deliveries, load_words, seed)


def _plan(refuse: float, seed: int) -> FaultPlan:
    return FaultPlan(seed=seed, before_handle=Fault(refuse=refuse))


def _with_prediction(checkouts: pd.DataFrame, refuse: float, plan: FaultPlan) -> pd.DataFrame:
    """The table with refuse, and with what the seed says of each order: predicted, predicted_reserved."""
    taken, reserved = set[str](), set[str]()
    for design, orders in checkouts.groupby("design")["order"]:
        if design in table.EVENTS:  # the broker takes it; the services may try as often as they need
            taken |= set(orders)
            reserved |= set(orders)
            continue
        tries = 1 if design == "http" else checkout.TRIES
        said = predict.chain(dict.fromkeys(REACTING, plan), list(orders), tries)
        taken |= set(said.answered)
        reserved |= set(said.answered) | set(said.half_done[REACTING[0]])
    return checkouts.assign(
        refuse=refuse,
        predicted=checkouts["order"].isin(taken),
        predicted_reserved=checkouts["order"].isin(reserved),
    )


def compare(deliveries: pd.DataFrame) -> pd.DataFrame:
    """One line per probability and design: n; law, n (1-p)^3 for the plain chain; predicted, by the seed; taken, in
    this run; and of those not taken how many were reserved and mailed all the same."""
    lines = []
    for key, some in deliveries.groupby(["refuse", "design"], sort=False):
        refuse, design = cast(tuple[float, str], key)
        failed = some[~some["ok"]]
        lines.append(
            {
                "refuse": refuse,
                "design": design,
                "n": len(some),
                "law": round(len(some) * law(refuse, design), 1),
                "predicted": int(some["predicted"].sum()),
                "taken": int(some["ok"].sum()),
                "failed_but_reserved": int((failed["reservations"] > 0).sum()),
                "predicted_failed_but_reserved": int((some["predicted_reserved"] & ~some["predicted"]).sum()),
                "failed_but_mailed": int((failed["mails"] > 0).sum()),
                "orders_reserved": int((some["reservations"] > 0).sum()),
            }
        )
    return pd.DataFrame(lines)


def law(refuse: float, design: str) -> float:
    """The chance of a checkout: (1-p)^3 for the chain; with up to three tries (1-p³)^3; with events 1."""
    if design in table.EVENTS:
        return 1.0
    return float((1 - refuse ** (1 if design == "http" else checkout.TRIES)) ** len(REACTING))


def _result(shop: Shop, deliveries: pd.DataFrame, load: str, seed: int) -> Result:
    lines = compare(deliveries)
    measures = {"load_lateness_p99": table.lateness_ms(deliveries)}
    for line in lines.to_dict("records"):
        for name in ("law", "predicted", "taken", "failed_but_reserved", "failed_but_mailed"):
            key = f"{line['design']}_{name}_{line['refuse'] * 100:g}pct"
            measures[key] = Measure(float(line[name]), "orders")
    parts = []
    for line in lines[lines["design"] == "http"].to_dict("records"):
        parts.append(
            f"at {line['refuse']:.0%} the HTTP chain took {line['taken']} of {line['n']} orders "
            f"(predicted {line['predicted']}, by the law {line['law']:.1f}), and reserved stock for "
            f"{line['failed_but_reserved']} of those it refused"
        )
    text = "; ".join(parts) or ", ".join(
        f"{x['design']} took {x['taken']} of {x['n']}" for x in lines.to_dict("records")
    )
    more = {"faults": f"seed {seed}"}
    return Result(text[0].upper() + text[1:] + ".", deliveries, measures, provenance=shop.provenance(load, **more))
