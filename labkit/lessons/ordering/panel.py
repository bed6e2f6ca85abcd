"""The panel of lesson 08: everything that keeps order, or breaks it, in the learner's hands."""

import functools
import re
from dataclasses import replace
from typing import Any

import pandas as pd

from labkit.base.errors import SettingError
from labkit.lessons import ordering
from labkit.lessons.ordering.plots import microscope
from labkit.measure import order
from labkit.measure.result import Result
from labkit.widgets.panel import Panel, panel
from labkit.widgets.stage import Stage, stage


@functools.wraps(ordering.run, assigned=())  # what it declares has a control here too
def turn(seed: str = "1", **settings: Any) -> Result:
    """`ordering.run` as the panel turns it.

    Events that fail on the first attempt are handled again as most would do it: on RabbitMQ by a nack with requeue, on
    Kafka by way of a retry topic. seed: a whole number, as it was typed.
    The sentence leaves out the cure, for some are no control here, and to find one is the learner's task.
    Raises SettingError when the seed is none, and what `ordering.run` raises.
    """
    if not re.fullmatch(r"\s*[0-9]{1,9}\s*", seed):
        raise SettingError(f"The seed is {seed!r}: it must be a whole number.", "type one, for example 1")
    retry = "requeue" if settings.get("broker") == "rabbitmq" else "delayed"
    found = ordering.run(**settings, seed=int(seed), retry=retry)
    return replace(found, sentence=found.sentence.partition(" Cure: ")[0], anomalies=_top_first(found))


def _top(result: Result) -> order.Lane:
    """The order in the picture's first lane: that with the widest gap, when one broke."""
    assert result.trace is not None  # every run of lesson 08 has one, and handles events
    return microscope.choose(order.lanes(result.trace.to_frame()))[0]


def _top_first(result: Result) -> pd.DataFrame:
    """What went wrong, and first what the picture's first lane and the stage's title tell."""
    lane, table = _top(result), result.anomalies
    worst = lane.worst()
    late = worst.late.event_id if worst else ""
    pairs = zip(table["key"], table["event_ids"], strict=True)
    rank = [2 if key != lane.key else int(ids[0] != late) for key, ids in pairs]
    return table.assign(rank=rank).sort_values("rank", kind="stable", ignore_index=True).drop(columns="rank")


def _slow_motion(result: Result) -> Stage:
    """The stage, with the order that is first in the picture."""
    return stage(result, key=_top(result).key)


def ordering_panel(**standing: Any) -> Panel:
    """The panel, with the run in slow motion below. standing: control -> its first value, `key="order"`.

    Raises KeyError for a control that is not there, TraitError for a value that it cannot have.
    """
    made = panel(turn, microscope.draw, below=_slow_motion, seed="1")
    for name, value in standing.items():
        made.controls[name].value = value
    return made
