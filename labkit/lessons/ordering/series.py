"""Lesson 08: several settings one after the other, in a small table: which of them broke an order?"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from labkit import lab
from labkit.base.checkpoint import part
from labkit.lessons.ordering.experiment import run_with
from labkit.lessons.ordering.setting import Setting
from labkit.measure.result import Measure, Result


def run(settings: Mapping[str, Mapping[str, Any]], **shared: Any) -> Result:
    """Run each setting once. settings: name -> what `ordering.run` takes; shared: what all of them have in common.

    deliveries: one row per setting, by its name: out_of_order, orders, final_state_wrong, seconds (of the run),
    events_per_s.
    measures: out_of_order (orders of all settings), settings. Raises what `ordering.run` raises.
    """
    checked = {name: Setting.of(**{**shared, **own}) for name, own in settings.items()}  # before anything starts
    rows = {}
    for done, (name, setting) in enumerate(checked.items()):
        with part(done, len(checked), name):
            found = run_with(setting).measures
        counts = {one: int(found[one].value) for one in ("out_of_order", "orders", "final_state_wrong")}
        rows[name] = {**counts, "seconds": found["seconds"].value, "events_per_s": found["events_per_s"].value}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("setting")
    brokers = lab.brokers({setting.broker for setting in checked.values()}).stamp
    seeds = ", ".join(sorted({str(setting.seed) for setting in checked.values()}))
    measures = {
        "out_of_order": Measure(int(table["out_of_order"].sum()), "orders"),
        "settings": Measure(len(table), "settings"),
    }
    return Result(_told(table), table, measures, provenance={"brokers": brokers, "seed": f"seed {seeds}"})


def _told(table: pd.DataFrame) -> str:
    parts = [
        f"{name}: {int(row['out_of_order'])} of {int(row['orders'])} out of order" for name, row in table.iterrows()
    ]
    return f"{'; '.join(parts)}."
