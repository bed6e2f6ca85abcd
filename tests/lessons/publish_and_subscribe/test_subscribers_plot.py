"""The picture of lesson 02: what it says comes from the rows, and it fits whatever was measured."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.text import Text

from labkit.lessons.publish_and_subscribe.plots import subscribers
from labkit.measure import lag
from labkit.measure.result import Measure
from labkit.plots import style

STAMP = "Kafka 4.4.0 · native · RabbitMQ 4.0.5 · native · one machine, 2 cores · 60 orders per broker, 20/s each"


@dataclass(frozen=True)
class Told:
    """What the picture reads of a Result."""

    deliveries: pd.DataFrame
    measures: Mapping[str, Measure] = field(default_factory=dict)

    def stamp(self) -> str:
        return STAMP


def run(
    n: int = 60,
    brokers: tuple[str, ...] = ("kafka", "rabbitmq"),
    fraud_ready: float | None = 1.5,
    slow: tuple[str, float, float] | None = None,
    raises: str = "",
) -> Told:
    """20 orders a second, handled after 10 ms; a slow one handles nothing before its trouble is over."""
    rows = []
    who = ["inventory", "notification", "analytics"] + ["fraud"] * (fraud_ready is not None)
    for broker in brokers:
        for i in range(n):
            at = i / 20
            for name in who:
                done = at + 0.01
                if slow and name == slow[0] and slow[1] <= at < slow[2]:
                    done = slow[2] + 0.001 * i
                if name == "fraud" and fraud_ready is not None and at < fraud_ready:
                    done = fraud_ready + 0.001 * i if broker == "kafka" else np.nan
                dead = name == raises
                handled = np.nan if dead else done
                rows.append({"broker": broker, "who": name, "published_s": at, "handled_s": handled, "dead": dead})
    measures = {}
    if fraud_ready is not None:
        measures |= {"fraud_starts": Measure(fraud_ready - 0.5, "s"), "fraud_ready": Measure(fraud_ready, "s")}
    if slow:
        measures |= {"slow_from": Measure(slow[1], "s"), "slow_until": Measure(slow[2], "s")}
    return Told(pd.DataFrame(rows), measures)


def texts(picture: style.Picture) -> list[str]:
    return [text.get_text() for text in picture.figure.findobj(Text) if text.get_text()]


def title(picture: style.Picture) -> str:
    return picture.figure.texts[0].get_text().replace("\n", " ")


def test_the_title_names_who_was_slow_how_far_it_fell_behind_and_how_far_the_others() -> None:
    picture = subscribers.lag(run(slow=("notification", 1.6, 2.6)))
    assert title(picture) == "Notification falls 21 orders behind; meanwhile no other is more than 1 behind."
    assert texts(picture).count("slow") == 2
    assert "notification on Kafka at most 21 behind, 60 of 60 handled" in picture.alt


@pytest.mark.parametrize(("late_one", "note"), [(2, "at most 1 (and 5 before)"), (50, "at most 1 (and 5 after)")])
def test_who_was_further_behind_at_another_time_than_the_title_speaks_of_is_told_so(late_one: int, note: str) -> None:
    told = run(slow=("notification", 1.6, 2.0), brokers=("kafka",), fraud_ready=None)
    mine = told.deliveries["who"] == "analytics"
    late = mine & told.deliveries["published_s"].between(late_one / 20, late_one / 20 + 0.21)
    told.deliveries.loc[late, "handled_s"] = late_one / 20 + 0.21
    found = texts(subscribers.lag(told))
    assert note in found
    assert found.count("at most 1") == 1  # inventory
    assert "at most 9" in found  # the slow one's whole hill


def test_the_title_tells_the_worse_of_both_brokers() -> None:
    told = run(slow=("notification", 1.6, 2.6))
    quick = (told.deliveries["who"] == "notification") & (told.deliveries["broker"] == "rabbitmq")
    told.deliveries.loc[quick, "handled_s"] = told.deliveries["published_s"] + 0.01
    assert title(subscribers.lag(told)).startswith("Notification falls 21 orders behind;")


@pytest.mark.parametrize(
    ("waits", "most"), [({0.0: 5, 3.0: 0}, 5), ({0.0: 9, 0.5: 0, 1.5: 2, 1.6: 0, 5.0: 9}, 2), ({}, 0)]
)
def test_the_most_that_waited_in_a_while_counts_what_was_there_at_its_beginning_and_nothing_outside(
    waits: dict[float, int], most: int
) -> None:
    line = subscribers.Line("kafka", "inventory", pd.Series(waits, dtype=float), 9, 9, ())
    assert line.peak_between(1.0, 2.0) == most


def test_what_fraud_found_when_it_came_is_not_laid_to_the_slow_ones_door() -> None:
    told = run(slow=("inventory", 1.9, 2.4))
    assert title(subscribers.lag(told)) == "Inventory falls 11 orders behind; meanwhile no other is more than 1 behind."


def test_fraud_is_behind_from_the_moment_at_which_it_joined_and_not_before() -> None:
    found = subscribers.lines(run().deliveries, subscribers.Moments(1.0, 1.5, None))
    first = {(line.broker, line.who): float(line.waits.index[0]) for line in found}
    assert (first["kafka", "fraud"], first["kafka", "inventory"]) == (1.5, 0)


@pytest.mark.parametrize(("ready", "first"), [(1.2, 1.2), (1.9, 1.5)])
def test_fraud_is_there_when_it_says_so_or_has_handled_its_first_whatever_is_sooner(ready: float, first: float) -> None:
    found = subscribers.lines(run().deliveries, subscribers.Moments(1.0, ready, None))
    (fraud,) = [line for line in found if (line.broker, line.who) == ("kafka", "fraud")]
    assert float(fraud.waits.index[0]) == first


@pytest.mark.parametrize(("starts", "words"), [(0.5, 2), (1.2, 0)])
def test_while_fraud_is_starting_its_row_says_so_in_a_word_where_there_is_room(starts: float, words: int) -> None:
    told = run()
    picture = subscribers.lag(Told(told.deliveries, {**told.measures, "fraud_starts": Measure(starts, "s")}))
    assert texts(picture).count("starting") == words
    dotted = [line for ax in picture.figure.axes for line in ax.lines if line.get_linestyle() == ":"]
    assert [list(line.get_xdata()) for line in dotted] == [[starts, 1.5], [starts, 1.5]]  # type: ignore[arg-type]


@pytest.mark.parametrize(("ready", "side"), [(0.6, "left"), (2.5, "right")])
def test_the_words_fraud_starts_stand_on_the_side_on_which_there_is_room(ready: float, side: str) -> None:
    figure = subscribers.lag(run(fraud_ready=ready)).figure
    found = [text for text in figure.findobj(Text) if text.get_text() == "fraud starts"]
    assert [text.get_horizontalalignment() for text in found] == [side, side]


def test_the_title_says_what_each_broker_gave_to_the_one_that_joined() -> None:
    picture = subscribers.lag(run())
    assert title(picture) == "Fraud joins while 60 orders flow. Kafka gives it 60; RabbitMQ gives it 30."
    assert {"got 60 of 60", "got 30 of 60"} <= set(texts(picture))
    assert texts(picture).count("fraud starts") == 2


def test_orders_that_were_put_aside_are_counted_and_marked_as_broken() -> None:
    picture = subscribers.lag(run(fraud_ready=None, raises="analytics"))
    assert title(picture) == "Analytics puts 120 orders aside; the others miss none."
    broken = [text for text in picture.figure.findobj(Text) if to_hex(text.get_color()) == style.BROKEN.lower()]
    assert [text.get_text() for text in broken] == ["× 60 of 60 put aside"] * 2
    marks = [line for ax in picture.figure.axes for line in ax.lines if line.get_marker() == "x"]
    assert [len(line.get_xdata()) for line in marks] == [60, 60]  # type: ignore[arg-type]
    assert {line.get_color() for line in marks} == {style.BROKEN}


def test_what_was_published_before_fraud_came_is_not_missed() -> None:
    picture = subscribers.lag(run(raises="analytics"))
    assert title(picture) == "Analytics puts 120 orders aside; the others miss none."


def test_what_the_others_really_miss_is_said() -> None:
    told = run(n=20, fraud_ready=None, raises="analytics", brokers=("kafka",))
    told.deliveries.loc[told.deliveries["who"] == "inventory", "handled_s"] = np.nan
    assert title(subscribers.lag(told)) == "Analytics puts 20 orders aside; the others miss 20."


def test_a_calm_run_says_how_far_anybody_was_behind() -> None:
    picture = subscribers.lag(run(n=5, fraud_ready=None))
    assert title(picture) == "6 readers, and none is ever more than 1 order behind."
    assert "fraud starts" not in texts(picture)


def test_nothing_to_draw_is_an_error_and_not_an_empty_sheet() -> None:
    with pytest.raises(ValueError, match="no orders"):
        subscribers.lag(Told(pd.DataFrame()))


def test_all_panels_have_one_scale_and_one_clock() -> None:
    panels = [ax for ax in subscribers.lag(run(slow=("inventory", 2, 3))).figure.axes if ax.axison]
    assert len(panels) == 8
    assert len({ax.get_ylim() for ax in panels}) == 1
    assert len({ax.get_xlim() for ax in panels}) == 1


CASES: dict[str, dict[str, Any]] = {
    "both, all": {"slow": ("notification", 1.8, 2.6)},
    "one broker": {"brokers": ("rabbitmq",), "slow": ("notification", 1.8, 2.6)},
    "fraud at once": {"fraud_ready": 0.6, "slow": ("notification", 1.5, 2.2)},
    "raises": {"raises": "notification", "fraud_ready": None},
    "few": {"n": 2, "fraud_ready": None},
}


@pytest.mark.parametrize("case", CASES)
def test_no_words_leave_the_sheet_and_none_lie_upon_each_other(case: str) -> None:
    figure = subscribers.lag(run(**CASES[case])).figure
    figure.draw_without_rendering()
    boxes = [
        (text.get_text(), text.get_window_extent())
        for text in figure.findobj(Text)
        if text.get_text() and text.get_visible()
    ]
    assert len(boxes) > 10
    outside = [words for words, box in boxes if box.x0 < 0 or box.x1 > figure.bbox.x1 or box.y0 < 0]
    assert outside == []
    over = [
        (one, other)
        for i, (one, a) in enumerate(boxes)
        for other, b in boxes[i + 1 :]
        if a.shrunk(0.95, 0.8).overlaps(b.shrunk(0.95, 0.8))
    ]
    assert over == []


def test_what_waits_goes_up_with_each_event_that_came_and_down_with_each_that_went() -> None:
    steps = lag.behind(pd.Series([0.0, 1.0, 2.0]), pd.Series([1.5, np.nan, 2.5]))
    assert dict(steps) == {0.0: 1, 1.0: 2, 1.5: 1, 2.0: 2, 2.5: 1}


def test_what_was_there_before_it_joined_waits_from_then_on() -> None:
    steps = lag.behind(pd.Series([0.0, 0.5, 2.0]), pd.Series([1.1, 1.2, 2.1]), joined_s=1.0)
    assert dict(steps) == {1.0: 2, 1.1: 1, 1.2: 0, 2.0: 1, 2.1: 0}


def test_what_it_had_handled_before_it_counted_as_there_does_not_wait() -> None:
    steps = lag.behind(pd.Series([0.5, 2.0]), pd.Series([0.9, 2.1]), joined_s=1.0)
    assert dict(steps) == {1.0: 0, 2.0: 1, 2.1: 0}
