"""Lesson 08: what keeps order, and what breaks it? The lives of some hundred orders, on a real broker.

Reading order: `load` (what the shop publishes), `setting` (what can be set), `work` and `reader` (a consumer),
`publish`, `kafka` and `rabbitmq`, `experiment` (one run), `order_causes` (why it broke, and what would cure it); then
`series`, `partitions_added`, `across` with `across_backends`, `price`; then `plots`, `panel` and `exercises`.

from labkit.lessons import ordering
ordering.run(broker="kafka", key="none").sentence

Over budget: eleven ways to break order and to keep it, each on both brokers.
"""

from typing import TYPE_CHECKING

from labkit.base import lazy

if TYPE_CHECKING:
    from labkit.lessons.ordering.experiment import run

__all__ = ["run"]

__getattr__, __dir__ = lazy.attach(__name__, "experiment:run")
