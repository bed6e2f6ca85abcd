"""Lesson 01: orders come in. What every experiment of the lesson does with an open shop."""

import time
from collections.abc import Callable, Sequence

from labkit.base.checkpoint import checkpoint
from labkit.events.event import Event
from labkit.events.trace import now_ns
from labkit.harness.shop import Shop, placed
from labkit.measure.load import Answer, Load, interleaved
from labkit.shop import orders


def drive(
    shop: Shop,
    designs: Sequence[str],
    rate: float,
    n: int,
    skip: int = 0,
    meanwhile: Callable[[int], None] | None = None,
) -> tuple[list[Answer], int]:
    """Send `n` orders to each design, `rate` a second each, the designs in turn. The answers, and when it began (ns).

    skip: orders per design that earlier loads have used. meanwhile: called with the beginning, while orders come in.
    """
    events = customers(n * len(designs), skip * len(designs))
    load = Load([shop.request(due_s, design, event) for due_s, design, event in interleaved(designs, events, rate)])
    try:
        load.start()
        if meanwhile:
            meanwhile(load.begin_ns)
        while not load.ended(0.1):
            checkpoint()
        return load.wait(), load.begin_ns
    finally:
        load.stop()  # also when the reader presses "interrupt"


def customers(n: int, skip: int = 0) -> list[Event]:
    """`n` OrderPlaced events of real orders, each with an order id of its own."""
    found = orders.load()
    return [
        placed(found[i % len(found)], "" if i < len(found) else f"{found[i % len(found)].id}-{i // len(found) + 1}")
        for i in range(skip, skip + n)
    ]


def sleep_to(begin_ns: int, after_s: float) -> None:
    """Sleep until `after_s` seconds after `begin_ns`, by `now_ns`."""
    if (left := begin_ns / 1e9 + after_s - now_ns() / 1e9) > 0:
        time.sleep(left)
