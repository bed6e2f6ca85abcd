"""Bets: placed before, scored after."""

import math

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


def test_a_bet_is_a_number_to_draw_with() -> None:
    assert float(bets.place("it", 5, unit="ms")) == 5.0


@pytest.mark.parametrize("value", ["soon", None, math.nan, math.inf, -1, True])
def test_what_is_no_number_is_refused_with_a_cure(value: object) -> None:
    with pytest.raises(LabError, match="no number to bet on it") as caught:
        bets.place("it", value, unit="ms")  # type: ignore[arg-type]
    assert caught.value.cure == "write a number of ms, such as 5"
