"""Lesson 09: the panel's run. Some hundred payments, one strategy, one broker. `charging` does it."""

from labkit.harness.settings import takes
from labkit.lessons.idempotency import charging
from labkit.lessons.idempotency.setting import Setting
from labkit.measure.result import Result


@takes(Setting)
def run(setting: Setting) -> Result:
    """Take 300 payments through one broker; the consumer crashes where the seed says.

    strategy: one of `steps.STRATEGIES`. crash_rate: the part of payments at which the consumer crashes, 0 to 1.
    batch: how many payments are acknowledged at once. prefetch (RabbitMQ): how many the consumer holds unacknowledged.
    ledger: the SQLite file of the charges; by default a fresh one.
    measures: payments, crashes, lost, doubled (customers), extra (charges too many), seconds; and predicted_lost,
    predicted_doubled where the seed alone decides.
    Raises SettingError for what cannot be set, StorageError for the ledger, BrokerError when the broker goes away.
    """
    return charging.run(setting)
