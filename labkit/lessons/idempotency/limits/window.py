"""The inbox grows; who forgets, forgets too early for somebody. A month of payments, and a replay at its end."""

from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from typing import Annotated

import pandas as pd

from labkit import lab
from labkit.events.event import Event
from labkit.events.trace import Trace
from labkit.harness.kinds import Broker, Whole
from labkit.harness.settings import experiment
from labkit.lessons.idempotency import outcome
from labkit.lessons.idempotency.charging import backend, orders, work_dir
from labkit.lessons.idempotency.ledger import Ledger
from labkit.lessons.idempotency.predicted import Counts
from labkit.lessons.idempotency.reading import Reader
from labkit.lessons.idempotency.setting import Payments
from labkit.measure.result import Measure, Result
from labkit.patterns import inbox

_START = datetime(2026, 1, 1, tzinfo=UTC)
_DAY_S = 86_400.0


@experiment
def run(
    window_days: Annotated[int, Whole(0, 3660)] = 7,
    days: Annotated[int, Whole(1, 3660)] = 30,
    payments: Payments = 300,
    broker: Broker = "kafka",
) -> Result:
    """Take a month of payments, ten a day, forgetting every evening what is older than the window; then all come again.

    Somebody puts the month's events in once more, from an archive of the topic: the same events, with the same ids.
    window_days: how long the inbox remembers. The clock is the events' own.
    measures: remembered (rows in the inbox on the last evening), would_be (without forgetting), doubled, predicted.
    Raises SettingError, BrokerError, StorageError.
    """
    keys = orders(payments)
    events = _month(keys, days)
    evening_s = (_START + timedelta(days=days)).timestamp()
    with ExitStack() as stack:
        ledger = stack.enter_context(closing(Ledger(stack.enter_context(work_dir()) / "ledger.db")))
        its = stack.enter_context(backend(broker, Trace()))
        its.publish([*events, *events])
        remembered = _take_all(its.reader(prefetch=100), ledger, payments, window_days, evening_s)
        counts = Counts(ledger.counts(), {}, keys)
    late = sum(event.time.timestamp() < evening_s - window_days * _DAY_S for event in events)
    return _result(counts, remembered, late, window_days, days, broker)


def _month(keys: list[str], days: int) -> list[Event]:
    every = timedelta(days=days) / len(keys)
    return [
        Event("OrderPlaced", "/shop/checkout", key, {"cents": 100 + int(key)}, time=_START + at * every, seq=1)
        for at, key in enumerate(keys)
    ]


def _take_all(reader: Reader, ledger: Ledger, payments: int, window_days: int, evening_s: float) -> int:
    """Every event, the month and the replay. Returns the rows of the inbox on the last evening."""
    at, remembered, forgot_s = 0, 0, 0.0
    try:
        for delivery in reader.deliveries():
            if delivery is None:
                continue
            at, now_s = at + 1, delivery.event.time.timestamp()
            if at <= payments and now_s - forgot_s >= _DAY_S:  # once a day
                forgot_s = now_s
                _forget(ledger, now_s - window_days * _DAY_S)
            _take(ledger, delivery.event)
            if at == payments:
                _forget(ledger, evening_s - window_days * _DAY_S)
                remembered = ledger.inbox_rows()
            if at % 50 == 0 or at == 2 * payments:
                reader.ack(delivery)
            if at == 2 * payments:
                break
    finally:
        reader.close()
    return remembered


def _forget(ledger: Ledger, older_than_s: float) -> None:
    with ledger.guarded():
        inbox.forget(ledger.store, older_than_s)


def _take(ledger: Ledger, event: Event) -> None:
    cents = int(event.data["cents"])
    with ledger.guarded():
        inbox.once(ledger.store, event.id, lambda: ledger.charge(event.subject, cents), event.time.timestamp())


def _result(counts: Counts, remembered: int, late: int, window_days: int, days: int, broker: str) -> Result:
    total, doubled = len(counts.keys), len(counts.doubled)
    row = {"window_days": window_days, "broker": broker, "payments": total, "remembered": remembered,
           "doubled": doubled, "predicted": late, "lost": len(counts.lost)}  # fmt: skip
    measures = {
        "remembered": Measure(remembered, "rows"),
        "would_be": Measure(total, "rows"),
        "doubled": Measure(doubled, "customers"),
        "predicted": Measure(late, "customers"),
    }
    sentence = (
        f"An inbox that remembers {window_days} of {days} days kept {remembered} rows instead of {total}; "
        f"when everything came again, {doubled} customers were charged twice."
    )
    provenance = {"broker": lab.brokers(broker).stamp, "settings": f"{total} payments over {days} days, then all again"}
    return Result(sentence, pd.DataFrame([row]), measures, outcome.affected(counts, {}, Trace()), provenance)
