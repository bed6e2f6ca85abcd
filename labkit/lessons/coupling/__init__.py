"""Lesson 01: what happens to checkout when inventory is slow, or down?

Reading order: `drive` (orders come in), `table` (what came of them), `delay`, `failures`, `outage`, `wrong`, `broker`,
`experiment` (the panel's run); then `plots` and `exercises`.

from labkit.lessons import coupling
coupling.run(delay_ms=500).sentence

Over budget: two designs, each beside its best defence, under delay, refusals, a kill and a freeze.
"""

from typing import TYPE_CHECKING

from labkit.base import lazy

if TYPE_CHECKING:
    from labkit.lessons.coupling import broker, delay, failures, outage, table
    from labkit.lessons.coupling.experiment import run

__all__ = ["broker", "delay", "failures", "outage", "run", "table"]

__getattr__, __dir__ = lazy.attach(__name__, "broker", "delay", "failures", "outage", "table", "experiment:run")
