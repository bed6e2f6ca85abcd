"""The panel of lesson 08 from code: its picture, its list and its stage tell of the same order."""

import pandas as pd
import pytest
from rows import handled

from labkit.lessons.ordering.panel import ordering_panel
from labkit.lessons.ordering.plots import microscope
from labkit.measure import anomalies, order
from labkit.measure.result import Result
from labkit.widgets import render


@pytest.mark.usefixtures("brokers")
@pytest.mark.parametrize("broker", ["kafka", "rabbitmq"])
def test_picture_list_and_stage_tell_of_the_same_order(broker: str) -> None:
    board = ordering_panel(broker=broker, key="none")
    result = board.run()
    top = microscope.choose(order.lanes(result.trace.to_frame()))[0]
    worst = top.worst()
    assert worst
    assert f"order {top.key} was {worst.sentence()}" in result.sentence
    first = result.anomalies.iloc[0]
    assert (first["key"], first["event_ids"]) == (top.key, (worst.late.event_id, worst.ahead.event_id))
    assert f"({worst.ahead.said()}) was handled before" in first["sentence"]
    assert board.below.key == top.key
    assert board.below.words["title"] == f"Order {top.key}: {worst.ahead.said()} overtakes {worst.late.said()}"


@pytest.mark.usefixtures("brokers")
def test_where_order_held_the_stage_shows_the_pictures_first_order() -> None:
    board = ordering_panel(broker="rabbitmq", key="order")
    result = board.run()
    assert len(result.anomalies) == 0
    assert board.below.key == microscope.choose(order.lanes(result.trace.to_frame()))[0].key


def test_the_rest_is_counted_as_events_where_each_sentence_has_one_of_its_own() -> None:
    trace = handled(*((str(order), [2, 1]) for order in range(6)))
    found = Result("One service.", pd.DataFrame(), anomalies=anomalies.find(trace.to_frame()))
    assert "… and 3 more events like these" in render.result(render.Shown(found, None, ""), {})
    by_two_services = pd.concat([anomalies.find(trace.to_frame())] * 2)
    found = Result("Two services.", pd.DataFrame(), anomalies=by_two_services)
    assert "… and 9 more like these" in render.result(render.Shown(found, None, ""), {})
