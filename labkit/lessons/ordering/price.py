"""Lesson 08: what does order cost the reader? Eight ways to share the work, the same flood of events on each.

More comes than any of them can do, so what is measured is how fast it reads. What a publisher pays when it waits for
acks does not show here.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import pandas as pd

from labkit import lab
from labkit.base.checkpoint import part
from labkit.events.trace import HANDLED
from labkit.harness.kinds import Each, OneOf, Seed
from labkit.harness.settings import experiment
from labkit.lessons.ordering.experiment import run_with
from labkit.lessons.ordering.load import LIFE, Load, Orders
from labkit.lessons.ordering.setting import Setting
from labkit.measure.result import Measure, Result


@dataclass(frozen=True)
class Way:
    """One way to share the work. words: what it is called. setting: as `ordering.run` takes it."""

    words: str
    setting: Mapping[str, Any]


_ONE = {"consumers": 1}
_POOL = {"consumers": 1, "workers": 4, "dispatch": "by key", "prefetch": 100}
WAYS = {
    "kafka_no_key": Way("no key, 4 consumers", {"broker": "kafka", "consumers": 4}),
    "kafka_by_order": Way("key = order, 4 consumers", {"broker": "kafka", "key": "order", "consumers": 4}),
    "kafka_own_worker": Way("1 consumer, 4 workers by key", {"broker": "kafka", "key": "order"} | _POOL),
    "kafka_one": Way("1 partition, 1 consumer", {"broker": "kafka", "partitions": 1} | _ONE),
    "rabbitmq_shared": Way("1 queue, 4 consumers", {"broker": "rabbitmq", "consumers": 4}),
    "rabbitmq_by_order": Way("4 queues, hash by order", {"broker": "rabbitmq", "key": "order", "consumers": 4}),
    "rabbitmq_own_worker": Way("1 consumer, 4 workers by key", {"broker": "rabbitmq"} | _POOL),
    "rabbitmq_single": Way(
        "single active consumer of 4", {"broker": "rabbitmq", "consumers": 4, "single_active": True}
    ),
}


@experiment
def run(
    ways: Annotated[Sequence[str], Each(OneOf(WAYS))] = tuple(WAYS),
    orders: Orders = 120,
    load: Load = "burst",
    seed: Seed = 1,
) -> Result:
    """Run each way once, one after the other.

    ways: names of `WAYS`. deliveries: one row per way: name, broker, way, events_per_s, seconds, out_of_order, orders,
    busiest (% of the events that the busiest consumer or worker handled).
    measures: `kafka_no_key_events_per_s`, `kafka_no_key_out_of_order` and so on. Takes 1 to 2 s for each way.
    Raises what `ordering.run` raises.
    """
    rows = []
    for done, name in enumerate(ways):
        with part(done, len(ways), WAYS[name].words):
            rows.append(_row(name, Setting(**WAYS[name].setting, orders=orders, load=load, seed=seed)))
    table = pd.DataFrame(rows)
    about = {"brokers": lab.brokers(set(table["broker"])).stamp,
             "load": f"{orders} orders, {orders * len(LIFE):,} events, load {load}, seed {seed}",
             "work": "the same handler everywhere, 1.5 ms on average"}  # fmt: skip
    return Result(summarize(table), table, _measures(table), provenance=about)


def _row(name: str, setting: Setting) -> dict[str, Any]:
    found = run_with(setting)
    numbers = {one: found.measures[one].value for one in ("events_per_s", "seconds", "out_of_order", "orders")}
    about = {"name": name, "broker": setting.broker, "way": WAYS[name].words}
    return {**about, **numbers, "busiest": _busiest(found)}


def _busiest(found: Result) -> float:
    """% of the events that the busiest of those who share the work has handled."""
    by = Counter(row.who for row in found.trace.rows() if row.what == HANDLED) if found.trace else Counter[str]()
    return 100 * max(by.values()) / by.total()


def _measures(table: pd.DataFrame) -> dict[str, Measure]:
    return {
        f"{row.name}_{what}": Measure(float(getattr(row, what)), unit)
        for row in table.itertuples(index=False)
        for what, unit in (("events_per_s", "events/s"), ("out_of_order", "orders"))
    }


def summarize(table: pd.DataFrame) -> str:
    """The fastest and the slowest way to keep order, against the fastest that does not keep it."""
    ranked: list[Any] = sorted(table.itertuples(index=False), key=_speed)
    kept = [row for row in ranked if not row.out_of_order]
    if not kept:
        return "None of these ways kept order."
    worst, best = kept[0], kept[-1]
    broke = [row for row in ranked if row.out_of_order]
    if not broke:
        return f"All kept order: from {worst.events_per_s:,.0f} to {best.events_per_s:,.0f} events/s."
    free = broke[-1].events_per_s
    return (
        f"Order kept at {100 * best.events_per_s / free:.0f} % of the speed without it ({best.way}), "
        f"or at {100 * worst.events_per_s / free:.0f} % ({worst.way})."
    )


def _speed(row: Any) -> float:
    return float(row.events_per_s)
