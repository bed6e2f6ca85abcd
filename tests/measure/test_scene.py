"""The scene of a replay, from a handful of rows: nothing is in it that no row says."""

import json
from typing import Any

import pytest
import stage_runs
from scene_rows import FIVE, MS, rabbit

from labkit.events.rows import Row
from labkit.measure import scene
from labkit.measure.scene import words as scene_words


def only(found: scene.Scene) -> dict[str, Any]:
    (board,) = found["boards"]
    (cell,) = board["cells"]
    assert isinstance(cell, dict)
    return cell


def test_five_rows_are_one_journey_with_the_times_of_the_rows() -> None:
    found = scene.build(FIVE)
    cell = only(found)
    assert (cell["pub"], cell["at"], cell["slot"], cell["n"]) == (0.0, 0.004, 7, 1)
    assert cell["trips"] == [{"c": 0, "r": 0.006, "d": 0.011, "f": None, "a": 0.015, "x": None}]
    assert found["end_s"] == 0.015
    board = found["boards"][0]
    assert board["producers"] == ["shop"]
    assert board["consumers"] == [{"name": "packing", "role": "packing"}]
    assert board["lanes"] == [{"name": "partition 2", "kind": "log", "first": 7, "size": 1}]


def test_no_time_is_in_a_scene_that_is_in_no_row() -> None:
    for name in ("kafka_spread", "rabbitmq_nack"):
        rows = stage_runs.rows(name)
        told = {round((row.t_ns - rows[0].t_ns) / 1e9, 6) for row in rows}
        (board,) = scene.build(rows)["boards"]
        drawn = {time for cell in board["cells"] for time in scene.moments(cell)}
        assert len(drawn) > 50
        assert drawn <= told


def test_the_group_stands_where_it_has_committed_and_not_where_it_has_read() -> None:
    assert scene.build(FIVE)["boards"][0]["commits"] == [{"lane": 0, "role": "packing", "steps": [(0.015, 8)]}]
    assert scene.build(FIVE[:-1])["boards"][0]["commits"] == []


def test_a_receipt_before_the_confirmation_is_when_it_is_first_known_to_be_there() -> None:
    rows = [rabbit(0, "published", "shop"), rabbit(2, "received", "packing#1"), rabbit(3, "confirmed", "shop")]
    assert only(scene.build(rows))["at"] == 0.002


def test_what_nobody_received_lies_in_no_known_queue() -> None:
    found = scene.build([rabbit(0, "published", "shop"), rabbit(2, "confirmed", "shop")])
    assert found["boards"][0]["lanes"][0]["kind"] == "exchange"
    assert only(found)["trips"] == []
    assert scene_words.title(found, 0) == "Order 3: its event was not read"
    assert "not read" in scene_words.now(found, 0, 1.0)


def test_an_event_in_two_queues_is_two_cells() -> None:
    rows = [rabbit(0, "published", "shop"), rabbit(1, "confirmed", "shop")]
    rows += [rabbit(2, "received", "packing#1"), rabbit(3, "received", "mail", queue="mail")]
    (board,) = scene.build(rows)["boards"]
    assert [lane["name"] for lane in board["lanes"]] == ["queue mail", "queue packing"]
    assert sorted(cell["lane"] for cell in board["cells"]) == [0, 1]


def test_a_queue_that_keeps_positions_is_a_stream() -> None:
    rows = [Row(i * MS, "received", "3", 1, f"e{i}", "orders", i, "audit", "rabbitmq", "") for i in range(3)]
    (board,) = scene.build(rows)["boards"]
    assert board["lanes"] == [{"name": "stream orders", "kind": "log", "first": 0, "size": 3}]


def test_a_second_receipt_is_a_second_trip() -> None:
    rows = [rabbit(0, "published", "shop"), rabbit(1, "received", "packing#1"), rabbit(2, "failed", "packing#1")]
    rows += [rabbit(3, "received", "packing#2"), rabbit(4, "acked", "packing#2")]
    first, second = only(scene.build(rows))["trips"]
    assert (first["r"], first["f"], first["a"]) == (0.001, 0.002, None)
    assert (second["r"], second["a"]) == (0.003, 0.004)


def test_a_dead_letter_has_its_tray() -> None:
    rows = [rabbit(0, "published", "shop"), rabbit(1, "received", "packing"), rabbit(2, "dead", "packing")]
    found = scene.build(rows)
    assert [lane["kind"] for lane in found["boards"][0]["lanes"]] == ["queue", "dead"]
    assert only(found)["trips"][0]["x"] == 0.002


def test_brokers_that_ran_one_after_the_other_start_their_own_clocks() -> None:
    later = [rabbit(900, "published", "shop"), rabbit(905, "received", "packing")]
    found = scene.build([*later, *FIVE])
    assert [board["name"] for board in found["boards"]] == ["Kafka", "RabbitMQ"]
    assert found["aligned"]
    assert found["boards"][1]["cells"][0]["trips"][0]["r"] == 0.005
    assert found["end_s"] == 0.015


def test_brokers_that_ran_together_keep_a_common_clock() -> None:
    together = [rabbit(12, "published", "shop"), rabbit(17, "received", "packing")]
    found = scene.build([*together, *FIVE])
    assert not found["aligned"]
    assert found["boards"][1]["cells"][0]["pub"] == 0.002


def test_one_of_two_brokers_can_be_asked_for() -> None:
    found = scene.build(stage_runs.rows("both"), broker="rabbitmq")
    assert [board["broker"] for board in found["boards"]] == ["rabbitmq"]


@pytest.mark.parametrize(("rows", "broker"), [([], None), (FIVE, "rabbitmq"), ([Row(1, "asked", "3")], None)])
def test_without_an_event_there_is_nothing_to_replay(rows: list[Row], broker: str | None) -> None:
    with pytest.raises(ValueError, match="nothing to replay"):
        scene.build(rows, broker)


def test_a_scene_of_a_thousand_events_is_small() -> None:
    found = scene.build(stage_runs.rows("kafka_1000"))
    assert len(found["boards"][0]["cells"]) == 1000
    assert len(json.dumps(found)) < 300_000


def test_names_are_in_the_order_of_their_numbers() -> None:
    assert scene.natural(["order-10", "order-2", "a", "order-2"]) == ["a", "order-2", "order-10"]


@pytest.mark.parametrize("key", ["order-3", "3", "Order 3"])
def test_a_key_is_called_by_its_number(key: str) -> None:
    assert scene.label(key) == "Order 3"
    assert scene.label(key, in_a_sentence=True) == "order 3"


def test_the_name_of_a_type_stays_as_it_is_within_a_sentence() -> None:
    assert scene.label("order-3", "OrderPlaced", in_a_sentence=True) == "OrderPlaced order-3"


WORKED = [
    rabbit(0, "published", "shop"),
    rabbit(1, "received", "packing#1"),
    rabbit(2, "failed", "packing#1.3"),
    rabbit(4, "handled", "packing#1.3"),
    rabbit(5, "acked", "packing#1"),
]


def test_what_a_worker_does_its_consumer_does() -> None:
    found = scene.build(WORKED)
    (trip,) = only(found)["trips"]
    assert (trip["r"], trip["f"], trip["d"], trip["a"]) == (0.001, 0.002, 0.004, 0.005)
    assert found["boards"][0]["consumers"] == [{"name": "packing", "role": "packing"}]


def test_a_board_says_whether_acknowledgements_were_written_down() -> None:
    told, untold = scene.build(WORKED), scene.build(WORKED[:-1])
    assert [one["boards"][0]["acked"] for one in (told, untold)] == [True, False]
    assert scene_words.subtitle(told) == "What is acknowledged is gone from the queue."
    assert scene_words.subtitle(untold) == "", "nothing on the stage shows it"
    assert not scene.build(FIVE)["boards"][0]["acked"], "a commit takes nothing out of a log"
