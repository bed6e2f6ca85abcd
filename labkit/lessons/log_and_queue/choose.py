"""Lesson 03: when would you choose which? The table is filled from what was measured, cell by cell."""

import math
from collections.abc import Iterable, Mapping

import pandas as pd

from labkit.measure.result import Result, plain
from labkit.truth.answer import Answer

COLUMNS = {"kafka": "Kafka", "quorum": "RabbitMQ queue", "stream": "RabbitMQ stream"}
CHOOSE, EITHER, NOT_ASKED, NOT_MEASURED = "choose", "either", "not asked here", "not measured here"
CLEAR = 1.5  # a number decides when it is so many times better than the next: runs differ by as much
_BACKENDS = {"kafka": "kafka", "quorum": "rabbitmq-quorum", "stream": "rabbitmq-stream"}
_OF_TRUTH = {  # a question of the truth table, as one asks it who has to choose
    "replay": "A service that comes later must read what was before?",
    "two_consumers": "Two consumers share the work, and each key must keep its order?",
    "put_back": "One event fails, comes again, and must not lose its place?",
    "unroutable": "The sender must know when nobody takes its event?",
    "delay": "An event must come at a later time?",
    "priority": "An urgent event must overtake the others?",
    "expiry": "An event must vanish when its time is over?",
}


def table(
    throughput: Result,
    costs: Result,
    answers: Iterable[Answer] = (),
    more: Mapping[str, Mapping[str, str]] | None = None,
) -> pd.DataFrame:
    """A question a row; Kafka, RabbitMQ queue, RabbitMQ stream: what was measured; `choose`: whom it speaks for.

    throughput, costs: of their `run`. answers: of the truth table (`truth.committed()`, or asked just now); questions
    that nobody answered are left out. more: rows of one's own: question -> {"kafka": fact, "quorum": …, "stream": …,
    "choose": name}. "either": the facts do not decide.
    """
    rows = dict(_from_truth(answers)) | {
        question: {
            **{name: given.get(kind, NOT_ASKED) for kind, name in COLUMNS.items()},
            CHOOSE: given.get(CHOOSE, ""),
        }
        for question, given in (more or {}).items()
    }
    rows |= _from_throughput(throughput) | _from_costs(costs)
    return pd.DataFrame.from_dict(rows, orient="index", columns=[*COLUMNS.values(), CHOOSE])


def _from_truth(answers: Iterable[Answer]) -> Iterable[tuple[str, dict[str, str]]]:
    known = {(one.question, one.backend): one for one in answers}
    for slug, question in _OF_TRUTH.items():
        found = {kind: known[slug, backend] for kind, backend in _BACKENDS.items() if (slug, backend) in known}
        if not found:
            continue
        cells = {name: _word(found.get(kind)) for kind, name in COLUMNS.items()}
        yes = [COLUMNS[kind] for kind, answer in found.items() if answer.word == "yes"]
        some = [COLUMNS[kind] for kind, answer in found.items() if answer.word == "conditions"]
        chosen = yes or some
        yield question, {**cells, CHOOSE: EITHER if len(chosen) in (0, len(COLUMNS)) else " or ".join(chosen)}


def _word(answer: Answer | None) -> str:
    if answer is None:
        return NOT_ASKED
    return f"yes, if {answer.short}".replace("\n", " ") if answer.word == "conditions" and answer.short else answer.word


def _from_throughput(result: Result) -> dict[str, dict[str, str]]:
    middle = result.deliveries.groupby(["size_b", "kind"])[["publish_per_s", "publish_mb_s"]].median()
    small, large = int(result.deliveries["size_b"].min()), int(result.deliveries["size_b"].max())
    rows = {
        f"Many small events a second ({small:,} bytes)?": _numbers(middle["publish_per_s"][small], "events/s"),
        f"Many bytes a second (events of {large:,} bytes)?": _numbers(middle["publish_mb_s"][large], "MB/s"),
    }
    return rows if large > small else dict(list(rows.items())[:1])


def _from_costs(result: Result) -> dict[str, dict[str, str]]:
    found = {str(row["broker"]): row for row in result.deliveries.to_dict("records")}
    rows = {}
    for question, column, unit in (
        ("Few settings to begin with?", "settings", "needed"),
        ("A quick start?", "start_s", "s"),
        ("Little memory?", "memory_used_mb", "MB"),
        ("Little disk for the same events?", "disk_full_mb", "MB"),
    ):
        values = {
            kind: float(found[b][column]) for kind, b in (("kafka", "kafka"), ("quorum", "rabbitmq")) if b in found
        }
        rows[question] = _numbers(pd.Series(values, dtype=float), unit, more_is_better=False)
        rows[question][COLUMNS["stream"]] = "in the same broker" if "quorum" in values else NOT_MEASURED
    return rows


def _numbers(values: "pd.Series[float]", unit: str, more_is_better: bool = True) -> dict[str, str]:
    """Cells of one row, and who is clearly better than the next best."""
    known = {kind: float(value) for kind, value in values.items() if kind in COLUMNS and not math.isnan(value)}
    cells = {name: _said(known[kind], unit) if kind in known else NOT_MEASURED for kind, name in COLUMNS.items()}
    if len(known) < 2:
        return {**cells, CHOOSE: EITHER}
    best, second = sorted(known, key=known.__getitem__, reverse=more_is_better)[:2]
    better, worse = sorted((known[best], known[second]), reverse=more_is_better)
    clear = better >= CLEAR * worse if more_is_better else worse >= CLEAR * better and worse > better
    return {**cells, CHOOSE: COLUMNS[str(best)] if clear else EITHER}


def _said(value: float, unit: str) -> str:
    if unit == "needed":
        return f"{value:.0f} needed"
    return f"{plain(float(f'{value:.2g}') if value >= 100 else value)} {unit}"
