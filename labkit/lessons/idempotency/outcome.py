"""What a run of payments came to: counts against the seed's, a sentence, and every customer who is affected."""

from collections.abc import Mapping

import pandas as pd

from labkit import lab
from labkit.events.trace import Trace
from labkit.lessons.idempotency.crashes import SERVICE
from labkit.lessons.idempotency.predicted import Counts
from labkit.lessons.idempotency.setting import Setting
from labkit.measure.anomalies import COLUMNS
from labkit.measure.result import Measure, Result
from labkit.provision.model import NAMES

POINT_WORDS = {
    "before_handle": "before the charge",
    "after_handle": "after the charge",
    "before_ack": "just before the acknowledgement",
}


def table(
    strategy: str, broker: str, found: Counts, predicted: Counts | None, crashes: int, seconds: float
) -> pd.DataFrame:
    """The line of one run in a table of strategies. predicted: None where the seed alone does not decide."""
    line = {
        "strategy": strategy,
        "broker": broker,
        "payments": len(found.keys),
        "crashes": crashes,
        "lost": len(found.lost),
        "doubled": len(found.doubled),
        "extra": found.extra,
        "predicted_lost": len(predicted.lost) if predicted else None,
        "predicted_doubled": len(predicted.doubled) if predicted else None,
        "as_predicted": found.charged == predicted.charged if predicted else None,
        "seconds": seconds,
    }
    return pd.DataFrame([line])


def measures(found: Counts, predicted: Counts | None, crashes: Measure, seconds: float) -> dict[str, Measure]:
    """The numbers of one run. predicted: as in `table`."""
    numbers = {
        "payments": Measure(len(found.keys), "payments"),
        "crashes": crashes,
        "lost": Measure(len(found.lost), "customers"),
        "doubled": Measure(len(found.doubled), "customers"),
        "extra": Measure(found.extra, "charges"),
        "seconds": Measure(seconds, "s"),
    }
    if predicted:
        numbers["predicted_lost"] = Measure(len(predicted.lost), "customers")
        numbers["predicted_doubled"] = Measure(len(predicted.doubled), "customers")
    return numbers


def result(
    setting: Setting, found: Counts, predicted: Counts, crashed: Mapping[str, str], trace: Trace, seconds: float
) -> Result:
    """The Result of one run."""
    known, crashes = predicted if setting.exact else None, len(crashed)
    return Result(
        sentence(setting, found, known, crashes),
        table(setting.strategy, setting.broker, found, known, crashes, seconds),
        measures(found, known, Measure(crashes, "crashes"), seconds),
        affected(found, crashed, trace),
        {"broker": lab.brokers(setting.broker).stamp, "settings": setting.stamp()},
        trace,
    )


def sentence(setting: Setting, found: Counts, predicted: Counts | None, crashes: int) -> str:
    """The one to read first."""
    lost, doubled = len(found.lost), len(found.doubled)
    head = f"“{setting.strategy}” on {NAMES[setting.broker]}, {times(crashes)} in {setting.payments:,} payments: "
    if not lost and not doubled:
        return head + "every customer was charged exactly once."
    parts = [f"{lost} never charged"] if lost else []
    if doubled:
        more = f" ({found.extra} charges too many)" if found.extra > doubled else ""
        parts.append(f"{doubled} charged more than once{more}")
    tail = "The clock decides here, not the seed alone."
    if predicted:
        right = found.charged == predicted.charged
        tail = "The same customers as on paper." if right else "On paper it would be others."
    return f"{head}{', '.join(parts)}. {tail}"


def times(crashes: int) -> str:
    """`1 crash`, `18 crashes`."""
    return f"{crashes} crash{'' if crashes == 1 else 'es'}"


def affected(found: Counts, crashed: Mapping[str, str], trace: Trace) -> pd.DataFrame:
    """A row for every customer who was never charged, or more than once; columns as in `measure.anomalies`."""
    ids = {one.key: one.event_id for one in trace.rows() if one.event_id}
    rows = []
    for kind, keys in (("lost", found.lost), ("duplicated", found.doubled)):
        for key in keys:
            because = f": the consumer crashed {POINT_WORDS[crashed[key]]}" if crashed.get(key) in POINT_WORDS else ""
            often = found.charged.get(key, 0)
            did = {0: "was never charged", 2: "was charged twice"}.get(often, f"was charged {often} times")
            rows.append((kind, key, (ids.get(key, ""),), SERVICE, float("nan"), f"Order {key} {did}{because}."))
    return pd.DataFrame(rows, columns=list(COLUMNS))
