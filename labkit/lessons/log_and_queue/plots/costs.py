"""What each broker costs to run, as a table to read: a row a cost, a column a broker.

Numbers read better than bars here, for the units differ from row to row.
"""

import math

import pandas as pd

from labkit.lessons.log_and_queue.costs import BROKERS, NOT_HERE, ROWS
from labkit.measure.result import Result, plain
from labkit.plots import style

LESS = 0.8  # one is less than the other when it is below this part of it: runs differ


def table(result: Result) -> pd.DataFrame:
    """The costs in words, and in the last column who has less of each: a name, or "the same".

    result: of `costs.run`. A broker that was not measured says so in every row.
    """
    found = {str(row["broker"]): row for row in result.deliveries.to_dict("records")}
    rows = {}
    for column, (words, unit) in ROWS.items():
        values = {broker: float(found[broker][column]) if broker in found else math.nan for broker in BROKERS}
        cells = {style.LOOKS[broker].name: said(value, unit) for broker, value in values.items()}
        rows[words] = {**cells, "less": less(values)}
    return pd.DataFrame.from_dict(rows, orient="index")


def said(value: float, unit: str) -> str:
    """A cost in words."""
    if math.isnan(value):
        return NOT_HERE
    return f"{plain(value) if unit else f'{value:,.0f}'} {unit}".rstrip()


def less(values: dict[str, float]) -> str:
    """Who has less by more than the noise of a run; empty where there is nothing to compare."""
    if any(math.isnan(value) for value in values.values()):
        return ""
    least, most = min(values, key=values.__getitem__), max(values, key=values.__getitem__)
    return style.LOOKS[least].name if values[least] < LESS * values[most] else "the same"
