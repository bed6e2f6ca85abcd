"""Lesson 09: the panel's run. Some hundred payments, one strategy, one broker. `charging` does it."""

import threading
from collections.abc import Callable

from labkit.lessons.idempotency import charging
from labkit.lessons.idempotency.setting import Setting
from labkit.measure.result import Result


def run(
    strategy: str = "work first",
    broker: str = "kafka",
    payments: int = 300,
    crash_rate: float = 0.1,
    seed: int = 1,
    batch: int = 1,
    prefetch: int = 20,
    ledger: str = "",
    progress: Callable[..., None] | None = None,
    cancelled: threading.Event | None = None,
) -> Result:
    """Take 300 payments through one broker; the consumer crashes where the seed says.

    strategy: one of `steps.STRATEGIES`. crash_rate: the part of payments at which the consumer crashes, 0 to 1.
    batch: how many payments are acknowledged at once. prefetch (RabbitMQ): how many the consumer holds unacknowledged.
    ledger: the SQLite file of the charges; by default a fresh one.
    measures: payments, crashes, lost, doubled (customers), extra (charges too many), seconds; and predicted_lost,
    predicted_doubled where the seed alone decides.
    Raises PaymentsError for what cannot be set, StorageError for the ledger, BrokerError when the broker goes away.
    """
    setting = Setting(strategy, broker, payments, crash_rate, seed, batch, prefetch)
    return charging.run(setting, ledger, progress, cancelled)
