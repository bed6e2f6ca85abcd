"""Where an event is at one moment: a flight ends when the row says so, and begins after the row before."""

import pytest
from scene_rows import FIVE, rabbit

from labkit.events.rows import Row
from labkit.measure import scene
from labkit.measure.scene import at as scene_at

FLIGHT = 0.001


def at(rows: list[Row], ms: float, flight: float = FLIGHT) -> list[scene_at.Spot]:
    (board,) = scene.build(rows)["boards"]
    return [spot for _, spot in scene_at.spots(board, ms / 1000, flight)]


NACKED = [
    rabbit(0, "published", "shop"),
    rabbit(2, "confirmed", "shop"),
    rabbit(4, "received", "packing#1"),
    rabbit(8, "failed", "packing#1"),
    rabbit(14, "received", "packing#2"),
    rabbit(18, "handled", "packing#2"),
    rabbit(20, "acked", "packing#2"),
]


def test_a_cell_of_a_log_stays_after_it_was_committed() -> None:
    (spot,) = at(FIVE, 15)
    assert (spot.place, spot.state) == ("lane", "read")


@pytest.mark.parametrize(
    ("ms", "places"),
    [(2.9, [("lane", 0.0)]), (3.5, [("lane", 0.5)]), (4, [("lane", 1.0)]), (6, [("lane", 1.0), ("consumer", 1.0)])],
)
def test_it_is_at_its_place_exactly_when_the_row_says_so(ms: float, places: list[tuple[str, float]]) -> None:
    found = [(spot.place, pytest.approx(spot.part)) for spot in at(FIVE, ms)]
    assert found == places


def test_a_reader_of_a_log_has_a_copy_until_it_is_through() -> None:
    assert len(at(FIVE, 10)) == 2
    assert len(at(FIVE, 15)) == 1


@pytest.mark.parametrize(
    ("ms", "place", "state"),
    [
        (1, "lane", "sent"),
        (2, "lane", "waiting"),
        (4, "consumer", "out"),
        (7.9, "consumer", "out"),
        (8.5, "lane", "failed"),  # on its way back
        (9.5, "lane", "waiting"),
        (14, "consumer", "out"),
        (19, "consumer", "out"),
        (20, "gone", "gone"),
    ],
)
def test_a_nacked_event_returns_to_its_queue_and_goes_out_again(ms: float, place: str, state: str) -> None:
    (spot,) = at(NACKED, ms)
    assert (spot.place, spot.state) == (place, state)


def test_what_was_never_answered_stays_out_until_another_consumer_has_it() -> None:
    rows = [rabbit(0, "published", "shop"), rabbit(1, "received", "packing#1"), rabbit(9, "received", "packing#2")]
    assert [spot.number for ms in (1, 8.99, 9) for spot in at(rows, ms)] == [0, 0, 1]


def test_what_failed_and_was_never_seen_again_stays_where_it_was_seen_last() -> None:
    (spot,) = at(NACKED[:4], 50)
    assert (spot.place, spot.state, spot.number) == ("consumer", "failed", 0)


def test_without_flights_it_waits_where_it_was() -> None:
    assert [spot.part for spot in at(FIVE, 3.99, 0.0)] == [0.0]


def test_what_nobody_sent_before_our_eyes_is_not_there_before_a_row_says_so() -> None:
    reader = [row for row in FIVE if row.who != "shop"]
    assert at(reader, -0.1) == []
    assert len(at(reader, 0)) == 2
