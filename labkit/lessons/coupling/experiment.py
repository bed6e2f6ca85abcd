"""Lesson 01: the panel's run. One shop, one load of a few seconds, and everything that can be turned.

The lesson's other experiments: `delay`, `failures`, `outage`, `broker`. What they
share: `harness.shop` opens and closes the shop, `table` counts.
"""

from typing import Annotated

from labkit import lab
from labkit.base.checkpoint import checkpoint
from labkit.chaos.faults import Fault, FaultPlan
from labkit.harness.kinds import BrokerOrBoth, Number, OneOf, Whole
from labkit.harness.settings import experiment
from labkit.harness.shop import Shop
from labkit.lessons.coupling import outage as outages
from labkit.lessons.coupling import table
from labkit.lessons.coupling.wrong import doubles_and_losses
from labkit.measure.result import Result
from labkit.shop.config import REACTING

OUTAGES = ("none", "killed", "frozen")
DEFENCES = {"none": (), "timeout and retries": ("retries",), "retries, budget, breaker": ("defended",)}


@experiment
def run(
    delay_ms: Annotated[float, Number(0, 60_000, control=(0, 500, 50))] = 100.0,
    failure_rate: Annotated[float, Number(0, 1, unit="%", control=(0.0, 0.2, 0.01))] = 0.0,
    outage: Annotated[str, OneOf(OUTAGES)] = "none",
    workers: Annotated[int, Whole(1, 1000, control=[4, 16, 64])] = 64,
    defence: Annotated[str, OneOf(tuple(DEFENCES))] = "timeout and retries",
    broker: BrokerOrBoth = "both",
    rate: Annotated[float, Number(1, 1000, control=False)] = 25.0,
    seconds: Annotated[float, Number(0.1, 600, control=False)] = 2.0,
    seed: Annotated[int, Whole(control=False)] = 1,
) -> Result:
    """Send orders to the plain HTTP chain, to one with a defence, and to events, all in the same seconds.

    delay_ms: inventory waits so long before it works on an order. failure_rate: each service refuses that share of
    tries, chosen by `seed`. outage: inventory is "killed" or "frozen" for the middle half of `seconds`, or "none".
    workers: how many orders inventory works on at a time, for each design. defence: of the second HTTP design.
    rate: orders a second for each design. Takes about seconds + 3.
    deliveries: one row per checkout (see `table.checkouts`). measures: per design. Raises SettingError.

    Built in: notebooks/01_coupling.ipynb, with one order and one service.
    """
    brokers = lab.brokers(broker)
    designs = ("http", *DEFENCES[defence], *brokers.names)
    times = (seconds / 4, seconds * 3 / 4)
    n = max(1, round(rate * seconds))
    checkpoint(0, "the shop opens …")
    with Shop(brokers, workers=workers) as shop:
        shop.warm_up(designs)
        for service in REACTING:
            delay = delay_ms if service == "inventory" else 0
            shop.faults(service, FaultPlan(seed, before_handle=Fault(refuse=failure_rate, delay_ms=delay)))
        trouble = outages.steps(shop, times if outage == "killed" else None, times if outage == "frozen" else None)
        deliveries, moments = outages.orders_meanwhile(shop, designs, rate, n, trouble)
        trace = shop.trace()
        provenance = shop.provenance(f"{n} orders per design, {rate:g}/s each, open loop")
    numbers = outages.count(deliveries, moments) | table.per_design(deliveries)
    return Result(
        outages.summarize(deliveries, numbers),
        deliveries,
        numbers,
        doubles_and_losses(trace, deliveries),
        provenance,
        trace,
    )
