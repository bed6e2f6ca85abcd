"""Several strategies, both brokers, the same crashes in each."""

from collections.abc import Sequence
from typing import Annotated

import pandas as pd

from labkit import lab
from labkit.base.checkpoint import part
from labkit.base.errors import SettingError
from labkit.harness.kinds import Each, OneOf, Seed
from labkit.harness.settings import experiment
from labkit.lessons.idempotency import charging
from labkit.lessons.idempotency.setting import CrashRate, Payments, Setting
from labkit.lessons.idempotency.steps import STRATEGIES
from labkit.measure.result import Measure, Result
from labkit.provision.model import NAMES

STANDARD = ("ack first", "work first", "inbox, same transaction")


@experiment
def run(
    strategies: Annotated[Sequence[str], Each(OneOf(tuple(STRATEGIES)))] = STANDARD,
    payments: Payments = 200,
    crash_rate: CrashRate = 0.1,
    seed: Seed = 1,
    brokers: Annotated[Sequence[str], Each(OneOf(NAMES))] = tuple(NAMES),
) -> Result:
    """Take the same payments once with each strategy, on each broker that offers it.

    deliveries: a row a run: strategy, broker, payments, crashes, lost, doubled, extra, predicted_lost,
    predicted_doubled, as_predicted, seconds. RabbitMQ runs with prefetch 1 where the mark "redelivered" decides.
    Raises SettingError, BrokerError.
    """
    settings = [
        Setting(name, broker, payments, crash_rate, seed, prefetch=1 if STRATEGIES[name].skips_redelivered else 20)
        for name in strategies
        for broker in brokers
        if broker in STRATEGIES[name].brokers
    ]
    if not settings:
        raise SettingError("None of these strategies is on offer there.", f"take one of: {'; '.join(STRATEGIES)}")
    found: list[Result] = []
    for at, setting in enumerate(settings):
        with part(at, len(settings), f"{setting.strategy}, {NAMES[setting.broker]}"):
            found.append(charging.run(setting))
    return join(*found)


def join(*results: Result) -> Result:
    """Several runs as one, to be drawn together."""
    table = pd.concat([one.deliveries for one in results], ignore_index=True)
    worst = table.iloc[int((table["lost"] + table["doubled"]).to_numpy().argmax())]
    sentence = (
        f"{len(table)} runs of {worst.payments:,} payments: at worst, “{worst.strategy}” on {NAMES[worst.broker]} "
        f"never charged {worst.lost} customers and charged {worst.doubled} more than once."
    )
    some = results[0].provenance["settings"].split(" · prefetch")[0]
    measures = {
        "runs": Measure(len(table), "runs"),
        "payments": Measure(int(table["payments"].sum()), "payments"),
        "crashes": Measure(int(table["crashes"].sum()), "crashes"),
    }
    anomalies = pd.concat([one.anomalies for one in results], ignore_index=True)
    return Result(sentence, table, measures, anomalies, {"brokers": lab.stamp(), "settings": some})
