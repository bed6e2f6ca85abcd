"""Lesson 09: how often was the customer charged? Payments, crashes at named points, and the ways to live with them.

Reading order: `steps` (the strategies), `crashes`, `predicted` (what must come of it), `ledger`, `card`,
`real_steps`, `reading`, `kafka`, `rabbitmq`, `work` (the lives of a consumer), `setting`, `charging` (one run),
`outcome`, `experiment` (the panel's run); then `compare`, `kill` with `worker`, and `limits`; then `plots` and
`exercises`.

from labkit.lessons import idempotency
idempotency.run(strategy="work first", broker="kafka").sentence

Over budget: three strategies, each crashed at every point, on both brokers and with a transaction.
"""

from typing import TYPE_CHECKING

from labkit.base import lazy

if TYPE_CHECKING:
    from labkit.lessons.idempotency.experiment import run

__all__ = ["run"]

__getattr__, __dir__ = lazy.attach(__name__, "experiment:run")
