"""Lesson 01: what happens to checkout when inventory is slow? Each design meets the same delays in the same seconds."""

from collections.abc import Sequence

import pandas as pd

from labkit import lab
from labkit.base.checkpoint import checkpoint
from labkit.harness.shop import Shop
from labkit.lessons.coupling import table
from labkit.lessons.coupling.drive import drive
from labkit.measure.load import Answer
from labkit.measure.result import Measure, Result

DELAYS_MS = (0, 50, 100, 200, 300, 500)


def run(
    delays_ms: Sequence[float] = DELAYS_MS,
    designs: Sequence[str] = table.DESIGNS,
    rate: float = 25.0,
    seconds: float = 2.0,
) -> Result:
    """Let inventory be slow, and time checkouts: `seconds` at each delay, `rate` orders a second for each design.

    designs: of `table.NAMES`. Takes about (seconds + 0.6) a delay, and 3 s more.
    deliveries: one row per checkout (see `table.checkouts`) with its delay_ms. `table.summary(
    result.deliveries, by="delay_ms")` is the table to read. measures: those of the largest delay, and the load's own
    lateness.
    """
    n = max(1, round(rate * seconds))
    with Shop(lab.brokers()) as shop:
        shop.warm_up(designs)
        points: list[tuple[float, list[Answer], int]] = []
        for i, delay_ms in enumerate(delays_ms):
            checkpoint(i / len(delays_ms), f"inventory {delay_ms:g} ms slow …")
            shop.slow(delay_ms)
            points.append((delay_ms, *drive(shop, designs, rate, n, skip=i * n)))
        table.settle(shop, [answer for _, answers, _ in points for answer in answers])
        begin_ns = points[0][2]
        frames = [table.checkouts(shop, answers, begin_ns).assign(delay_ms=delay_ms) for delay_ms, answers, _ in points]
        deliveries = pd.concat(frames, ignore_index=True)
        return _result(shop, deliveries, n, rate)


def _result(shop: Shop, deliveries: pd.DataFrame, n: int, rate: float) -> Result:
    worst = deliveries["delay_ms"].max()
    at_worst = deliveries[deliveries["delay_ms"] == worst]
    measures = table.per_design(at_worst)
    measures |= {"worst_delay": Measure(float(worst), "ms"), "load_lateness_p99": table.lateness_ms(deliveries)}
    load = f"{n} orders per point and design, open loop, {rate:g}/s each, all designs in the same seconds"
    return Result(_sentence(worst, measures, n), deliveries, measures, provenance=shop.provenance(load))


def _sentence(worst: float, measures: dict[str, Measure], n: int) -> str:
    parts = []
    if "http_p50" in measures:
        parts.append(f"half of the HTTP checkouts took {measures['http_p50']} or more")
    if "retries_taken" in measures:
        taken, reserved = measures["retries_taken"].value, measures["retries_reservations"].value
        parts.append(f"with timeout and retries {taken:g} of {n} were taken, and stock was reserved {reserved:g} times")
    events = [str(measures[f"{d}_p50"]) for d in table.EVENTS if f"{d}_p50" in measures]
    if events:
        parts.append(f"with events half took at most {' and '.join(events)}")
    return f"With inventory {worst:g} ms slow, {'; '.join(parts)}."
