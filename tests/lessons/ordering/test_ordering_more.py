"""Lesson 08: partitions that are added, cause and effect across services, what order costs, settings in a table."""

import functools
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import Any

import pandas as pd
import pytest

from labkit.base.checkpoint import reporting
from labkit.base.errors import SettingError
from labkit.events.trace import CONFIRMED, RECEIVED
from labkit.lessons.ordering import across, partitions_added, price, series
from labkit.lessons.ordering.plots import order_price
from labkit.measure import order

pytestmark = pytest.mark.usefixtures("nothing_left")


def cancel(run: Callable[[], object]) -> None:
    """A run that is cancelled before it begins."""
    stopped = threading.Event()
    stopped.set()
    with pytest.raises(CancelledError), reporting(cancelled=stopped):
        run()


# --- partitions are added


@functools.cache
def grown_to_four() -> pd.DataFrame:
    """The rows of a run in which one partition became four."""
    found = partitions_added.run(before=1, after=4)
    assert found.trace
    return found.trace.to_frame()


def test_partitions_added_to_a_backlog_break_orders_and_lose_nothing() -> None:
    found = partitions_added.run()
    assert found.measures["out_of_order"].value > 0
    assert found.measures["lost"].value == 0
    assert "From 4 to 8 partitions" in found.sentence
    assert set(found.anomalies["kind"]) == {"reordered"}


def test_an_order_that_broke_is_in_two_partitions() -> None:
    rows = grown_to_four()
    places = rows[rows["what"] == RECEIVED].groupby("key")["channel"].nunique()
    wrong = {lane.key for lane in order.lanes(rows) if lane.out_of_order}
    assert wrong
    assert (places[list(wrong)] == 2).all()


def test_the_same_backlog_without_more_partitions_is_in_order() -> None:
    found = partitions_added.run(before=4, after=4)
    assert (found.measures["out_of_order"].value, found.measures["lost"].value) == (0, 0)
    assert found.sentence == "4 partitions all the time: order held, and no event was lost."


def test_a_live_reader_that_begins_with_the_latest_loses_events_and_is_told_which() -> None:
    found = partitions_added.run(read="live", reset="latest")
    lost = found.measures["lost"].value
    assert lost > 0
    assert sum(map(len, found.anomalies.query("kind == 'lost'")["event_ids"])) == lost


def test_a_live_reader_that_begins_with_the_earliest_loses_none() -> None:
    assert partitions_added.run(read="live").measures["lost"].value == 0


def test_every_confirmed_event_is_in_the_log() -> None:
    """An idempotent producer that is quicker than a new partition's leader has lost some that were confirmed."""
    rows = grown_to_four()
    confirmed = rows[rows["what"] == CONFIRMED]
    assert len(confirmed) == 500
    assert (confirmed["position"] >= 0).all()


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"before": 8, "after": 4}, "take none away"),
        ({"before": "4"}, "before is '4'"),
        ({"after": 65}, "from 1 to 64"),
        ({"read": "never"}, "read is 'never'"),
        ({"reset": "none"}, "reset is 'none'"),
        ({"read": "later", "reset": "latest"}, "reads nothing"),
    ],
)
def test_a_change_that_cannot_be_is_refused_before_anything_starts(wrong: dict[str, Any], word: str) -> None:
    with pytest.raises(SettingError, match=word):
        partitions_added.run(**wrong)


def test_a_change_can_be_cancelled() -> None:
    cancel(partitions_added.run)


# --- across services


@pytest.mark.parametrize("broker", ["kafka", "rabbitmq"])
def test_an_effect_overtakes_its_cause_from_another_topic(broker: str) -> None:
    found = across.run(broker)
    assert found.measures["early"].value > 0
    assert found.measures["effects"].value == 100
    table = found.deliveries
    assert set(table["cause"]) == {"OrderPacked"}
    assert set(table["effect"]) == {"OrderShipped"}
    assert (table["early"] == (table["effect_s"] < table["cause_s"])).all()


@pytest.mark.parametrize("broker", ["kafka", "rabbitmq"])
@pytest.mark.parametrize("way", across.WAYS[1:])
def test_no_effect_comes_before_its_cause_when_it_waits_or_lies_behind_it(broker: str, way: str) -> None:
    found = across.run(broker, way)
    assert found.measures["early"].value == 0
    assert len(found.deliveries) == 100
    assert (found.measures["most_kept"].value > 0) == ("wait" in way)


@pytest.mark.parametrize("wrong", [{"broker": "pigeon"}, {"way": "by hand"}])
def test_a_way_across_that_is_not_there_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(SettingError, match="take one of"):
        across.run(**wrong)


def test_a_run_across_services_can_be_cancelled() -> None:
    cancel(across.run)


# --- what order costs


def test_the_price_says_of_each_way_how_fast_it_was_and_whether_order_held() -> None:
    found = price.run(["kafka_no_key", "kafka_by_order", "rabbitmq_single"], orders=60)
    table = found.deliveries.set_index("name")
    assert table.loc["kafka_no_key", "out_of_order"] > 0
    assert table.loc[["kafka_by_order", "rabbitmq_single"], "out_of_order"].sum() == 0
    assert (table["events_per_s"] > 0).all()
    assert table.loc["rabbitmq_single", "busiest"] == 100
    assert 25 <= table.loc["kafka_by_order", "busiest"] < 40
    assert found.measures["kafka_no_key_out_of_order"].value == table.loc["kafka_no_key", "out_of_order"]
    assert order_price.draw(found).alt.count("order held") == 2


def test_a_way_that_is_not_there_is_refused_and_a_price_can_be_cancelled() -> None:
    with pytest.raises(SettingError, match="is 'by hand'"):
        price.run(["by hand"])
    cancel(price.run)


def priced(*rows: tuple[str, str, float, int]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["broker", "way", "events_per_s", "out_of_order"])
    return table.assign(orders=100)


def test_the_title_counts_the_price_from_the_fastest_that_breaks_order() -> None:
    table = priced(("kafka", "a", 1000, 9), ("kafka", "b", 700, 0), ("rabbitmq", "c", 100, 0))
    assert "30 % of the speed, or 90 %" in order_price.title(table).replace("\n", " ")


def test_a_price_of_a_few_percent_is_next_to_nothing() -> None:
    table = priced(("kafka", "a", 1000, 9), ("kafka", "b", 1020, 0), ("rabbitmq", "c", 500, 0))
    assert "next to nothing, or 50 % of the speed" in order_price.title(table).replace("\n", " ")


def test_a_picture_of_the_price_needs_a_row_and_someone_who_keeps_order() -> None:
    with pytest.raises(ValueError, match="no rows"):
        order_price.bars(priced())
    assert order_price.title(priced(("kafka", "a", 1000, 9))) == "None of these ways kept order"
    assert "× 9 of 100" in [text.get_text() for text in _texts(priced(("kafka", "a", 1000, 9)))]


def _texts(table: pd.DataFrame) -> list[Any]:
    from matplotlib.text import Text

    return list(order_price.bars(table).figure.findobj(Text))


# --- several settings in a table


def test_a_series_has_a_row_for_each_setting_in_their_order() -> None:
    found = series.run({"held": {"key": "order"}, "broken": {"key": "type"}}, broker="rabbitmq", orders=40)
    assert list(found.deliveries.index) == ["held", "broken"]
    assert found.deliveries.loc["held", "out_of_order"] == 0 < found.deliveries.loc["broken", "out_of_order"]
    assert found.measures["out_of_order"].value == found.deliveries["out_of_order"].sum()


def test_a_setting_of_a_series_that_cannot_be_is_refused_before_the_first_runs() -> None:
    seen: list[str] = []
    with pytest.raises(SettingError, match="workers is 0"), reporting(lambda _, words: seen.append(words)):
        series.run({"well": {}, "not": {"workers": 0}})
    assert seen == []
