"""Bets: placed before, scored after."""

import math

import pandas as pd
import pytest

from labkit.base.errors import LabError
from labkit.measure.result import Measure
from labkit.teach import bets


@pytest.mark.parametrize(
    ("value", "measured", "verdict"),
    [
        (5, 1.5, "You bet 5 ms, measured was 1.5 ms: 3.3 times too high."),
        (1, 20, "You bet 1 ms, measured was 20 ms: 20 times too low."),
        (2, 1.6, "You bet 2 ms, measured was 1.6 ms: well guessed."),
        (0, 0, "You bet 0 ms, measured was 0 ms: exactly right."),
        (0, 3, "You bet 0 ms, measured was 3 ms: too low."),
        (3, 0, "You bet 3 ms, measured was 0 ms: too high."),
        (5000, 1.5, "You bet 5,000 ms, measured was 1.5 ms: 3,333 times too high."),
    ],
)
def test_a_bet_is_scored_in_one_sentence(value: float, measured: float, verdict: str) -> None:
    assert bets.place("it", value, unit="ms").score(measured) == verdict


def test_a_bet_is_scored_against_a_measure_as_well() -> None:
    assert bets.place("it", 2, unit="ms").score(Measure(1.9, "ms")).endswith("well guessed.")


def test_a_bet_without_a_unit_reads_well() -> None:
    bet = bets.place("how many are lost", 7)
    assert repr(bet) == "Your bet on how many are lost: 7"
    assert bet.score(7) == "You bet 7, measured was 7: exactly right."


def test_where_off_by_one_is_the_lesson_near_is_not_good_enough() -> None:
    bet = bets.place("how many tries", 3, exact=True)
    assert bet.score(4) == "You bet 3, measured was 4: 1 too low."
    assert bet.score(2) == "You bet 3, measured was 2: 1 too high."
    assert bet.score(3).endswith("exactly right.")


def test_a_bet_is_a_number_to_draw_with() -> None:
    assert float(bets.place("it", 5, unit="ms")) == 5.0


@pytest.mark.parametrize("value", ["soon", None, math.nan, math.inf, -1, True])
def test_what_is_no_number_is_refused_with_a_cure(value: object) -> None:
    with pytest.raises(LabError, match="no number to bet on it") as caught:
        bets.place("it", value, unit="ms")  # type: ignore[arg-type]
    assert caught.value.cure == "write a number of ms, such as 5"


def test_a_curve_is_scored_by_the_point_at_which_it_is_furthest_off() -> None:
    bet = bets.curve("it", {0: 10, 100: 110}, unit="ms")
    assert bet.score({0: 9, 50: 55, 100: 11}) == (
        "Well guessed at 2 of 3 points. Furthest off at 100: you bet 110 ms, measured was 11 ms, 10 times too high."
    )
    assert bet.score({0: 100, 100: 2}).startswith("Well guessed at none of 2 points. Furthest off at 100:")
    assert bet.score({0: 10, 100: 100}).startswith("Well guessed at every point. Furthest off at 100:")
    assert bet.score({0: 10}).endswith("exactly right.")
    assert bet.score({0: 0}).endswith("you bet 10 ms, measured was 0 ms, too high.")


def test_between_its_points_a_curve_is_straight_and_outside_it_is_level() -> None:
    bet = bets.curve("it", {100: 110, 0: 10, 200: 10}, unit="ms")
    assert [bet.at(x) for x in (-5, 0, 50, 100, 150, 200, 900)] == [10, 10, 60, 110, 60, 10, 10]


def test_a_curve_is_scored_against_a_column_of_a_table_and_against_measures() -> None:
    bet = bets.curve("it", {0: 10}, unit="ms")
    assert "measured was 1,000 ms" in bet.score(pd.Series([1000.0], index=[0]))
    assert "measured was 20 ms" in bet.score({0: Measure(20, "ms")})
    with pytest.raises(LabError, match="nothing was measured for it"):
        bet.score({})


def test_a_curve_reads_like_a_dict_of_its_points_in_order() -> None:
    bet = bets.curve("the slowest", {500: 510, 0: 10}, unit="ms")
    assert dict(bet) == {0: 10, 500: 510}
    assert list(bet) == [0, 500]
    assert repr(bet) == "Your bet on the slowest: 10 ms at 0, 510 ms at 500"


@pytest.mark.parametrize("points", [{}, 5, None, [10, 20]])
def test_what_is_no_curve_is_refused_with_a_cure(points: object) -> None:
    with pytest.raises(LabError, match="no curve to bet on it") as caught:
        bets.curve("it", points)  # type: ignore[arg-type]
    assert caught.value.cure == "write points, such as {0: 10, 500: 20}"


@pytest.mark.parametrize("points", [{0: "soon"}, {0: math.nan}, {0: -1}, {"slow": 1}, {-5: 1}])
def test_a_curve_of_what_are_no_numbers_is_refused(points: object) -> None:
    with pytest.raises(LabError, match="no number to bet on it"):
        bets.curve("it", points)  # type: ignore[arg-type]
