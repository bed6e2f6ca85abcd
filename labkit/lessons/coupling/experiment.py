"""Lesson 01: the panel's run. One shop, one load of a few seconds, and everything that can be turned.

The lesson's other experiments: `delay`, `failures`, `outage`, `broker`. What they
share: `harness.shop` opens and closes the shop, `table` counts.
"""

import threading

from labkit.chaos.faults import Fault, FaultPlan
from labkit.harness.progress import Progress, go_on
from labkit.harness.shop import Brokers, Shop
from labkit.lessons.coupling import outage as outages
from labkit.lessons.coupling import table
from labkit.lessons.coupling.wrong import doubles_and_losses
from labkit.measure.result import Result
from labkit.shop.config import REACTING

OUTAGES = ("none", "killed", "frozen")
DEFENCES = {"none": (), "timeout and retries": ("retries",), "retries, budget, breaker": ("defended",)}
BROKERS = {"both": table.EVENTS, "kafka": ("kafka",), "rabbitmq": ("rabbitmq",)}


def run(
    delay_ms: float = 100.0,
    failure_rate: float = 0.0,
    outage: str = "none",
    workers: int = 64,
    defence: str = "timeout and retries",
    broker: str = "both",
    rate: float = 25.0,
    seconds: float = 2.0,
    seed: int = 1,
    brokers: Brokers | None = None,
    progress: Progress | None = None,
    cancelled: threading.Event | None = None,
) -> Result:
    """Send orders to the plain HTTP chain, to one with a defence, and to events, all in the same seconds.

    delay_ms: inventory waits so long before it works on an order. failure_rate: each service refuses that share of
    tries, chosen by `seed`. outage: inventory is "killed" or "frozen" for the middle half of `seconds`, or "none".
    workers: how many orders inventory works on at a time, for each design. defence: of the second HTTP design, a key
    of DEFENCES. broker: a key of BROKERS. rate: orders a second for each design. Takes about seconds + 3.
    deliveries: one row per checkout (see `table.checkouts`). measures: per design.
    Raises ValueError for a word that is none of these.
    """
    designs = ("http", *_one_of(DEFENCES, "defence", defence), *_one_of(BROKERS, "broker", broker))
    times = (seconds / 4, seconds * 3 / 4)
    if outage not in OUTAGES:
        raise ValueError(f"outage is {outage!r}; it must be one of {', '.join(OUTAGES)}")
    n = max(1, round(rate * seconds))
    go_on(cancelled, progress, 0, "the shop opens …")
    with Shop(brokers or Brokers.of_lab(broker), workers=workers) as shop:
        shop.warm_up(designs)
        for service in REACTING:
            delay = delay_ms if service == "inventory" else 0
            shop.faults(service, FaultPlan(seed, before_handle=Fault(refuse=failure_rate, delay_ms=delay)))
        trouble = outages.steps(shop, times if outage == "killed" else None, times if outage == "frozen" else None)
        deliveries, moments = outages.orders_meanwhile(shop, designs, rate, n, trouble, progress, cancelled)
        trace = shop.trace()
        provenance = shop.provenance(
            f"{n} orders per design, {rate:g}/s each, open loop",
            inventory=f"{workers} worker{'s' * (workers > 1)}, {delay_ms:g} ms",
            faults=f"each service refuses {failure_rate:.0%}, seed {seed}" if failure_rate else "",
        )
    numbers = outages.count(deliveries, moments) | table.per_design(deliveries)
    return Result(
        outages.tell(deliveries, numbers),
        deliveries,
        numbers,
        doubles_and_losses(trace, deliveries),
        {name: text for name, text in provenance.items() if text},
        trace,
    )


def _one_of(known: dict[str, tuple[str, ...]], name: str, word: str) -> tuple[str, ...]:
    if word not in known:
        raise ValueError(f"{name} is {word!r}; it must be one of {', '.join(known)}")
    return known[word]
