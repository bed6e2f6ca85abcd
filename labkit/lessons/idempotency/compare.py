"""Several strategies, both brokers, the same crashes in each."""

import threading
from collections.abc import Sequence

import pandas as pd

from labkit import lab
from labkit.harness.progress import Progress, go_on
from labkit.lessons.idempotency import charging
from labkit.lessons.idempotency.setting import BROKERS, NAMES, PaymentsError, Setting, one_of
from labkit.lessons.idempotency.steps import STRATEGIES
from labkit.measure.result import Measure, Result


def run(
    strategies: Sequence[str] = ("ack first", "work first", "inbox, same transaction"),
    payments: int = 200,
    crash_rate: float = 0.1,
    seed: int = 1,
    brokers: Sequence[str] = BROKERS,
    progress: Progress | None = None,
    cancelled: threading.Event | None = None,
) -> Result:
    """Take the same payments once with each strategy, on each broker that offers it.

    deliveries: a row a run: strategy, broker, payments, crashes, lost, doubled, extra, predicted_lost,
    predicted_doubled, as_predicted, seconds. RabbitMQ runs with prefetch 1 where the mark "redelivered" decides.
    Raises PaymentsError, BrokerError.
    """
    settings = [_setting(name, broker, payments, crash_rate, seed) for name, broker in _pairs(strategies, brokers)]
    found: list[Result] = []
    for at, setting in enumerate(settings):
        go_on(cancelled, progress, at / len(settings), f"{setting.strategy}, {NAMES[setting.broker]}")
        found.append(charging.run(setting, cancelled=cancelled))
    return join(*found)


def _pairs(strategies: Sequence[str], brokers: Sequence[str]) -> list[tuple[str, str]]:
    for name in strategies:
        one_of("strategy", name, STRATEGIES)
    for broker in brokers:
        one_of("broker", broker, BROKERS)
    pairs = [(name, broker) for name in strategies for broker in brokers if broker in STRATEGIES[name].brokers]
    if not pairs:
        raise PaymentsError("None of these strategies is on offer there.", f"take one of: {'; '.join(STRATEGIES)}")
    return pairs


def _setting(name: str, broker: str, payments: int, crash_rate: float, seed: int) -> Setting:
    prefetch = 1 if STRATEGIES[name].skips_redelivered else 20
    return Setting(name, broker, payments, crash_rate, seed, prefetch=prefetch)


def join(*results: Result) -> Result:
    """Several runs as one, to be drawn together."""
    table = pd.concat([one.deliveries for one in results], ignore_index=True)
    worst = table.iloc[int((table["lost"] + table["doubled"]).to_numpy().argmax())]
    sentence = (
        f"{len(table)} runs of {worst.payments:,} payments: at worst, “{worst.strategy}” on {NAMES[worst.broker]} "
        f"never charged {worst.lost} customers and charged {worst.doubled} more than once."
    )
    some = results[0].provenance["setting"].split(" · prefetch")[0]
    measures = {
        "runs": Measure(len(table), "runs"),
        "payments": Measure(int(table["payments"].sum()), "payments"),
        "crashes": Measure(int(table["crashes"].sum()), "crashes"),
    }
    anomalies = pd.concat([one.anomalies for one in results], ignore_index=True)
    return Result(sentence, table, measures, anomalies, {"brokers": lab.stamp(), "setting": some})
