"""The reorder buffer: early events wait for those before them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.patterns.reorder import NoNumberError, Reorder


def test_what_comes_in_order_passes_at_once() -> None:
    buffer: Reorder[str] = Reorder()
    assert [buffer.take("7", seq, f"event {seq}") for seq in (1, 2)] == [["event 1"], ["event 2"]]
    assert buffer.kept == 0


def test_what_comes_early_waits_and_follows_at_once() -> None:
    buffer: Reorder[int] = Reorder()
    assert buffer.take("7", 2, 2) == []
    assert buffer.kept == 1
    assert buffer.take("7", 1, 1) == [1, 2]
    assert buffer.kept == 0


def test_one_key_does_not_wait_for_another() -> None:
    buffer: Reorder[int] = Reorder()
    buffer.take("7", 2, 2)
    assert buffer.take("8", 1, 1) == [1]


def test_what_came_before_is_not_given_out_again() -> None:
    buffer: Reorder[int] = Reorder()
    buffer.take("7", 1, 1)
    buffer.take("7", 3, 3)
    assert buffer.take("7", 1, 1) == [] == buffer.take("7", 3, 3)
    assert buffer.kept == 1


@pytest.mark.parametrize("seq", [0, -1])
def test_an_event_without_a_number_is_refused_with_the_cure(seq: int) -> None:
    with pytest.raises(NoNumberError) as error:
        Reorder[int]().take("7", seq, 0)
    assert "order" in error.value.what and "Event(..., seq=1)" in error.value.cure


@given(st.permutations(range(1, 9)))
def test_whatever_the_order_of_arrival_all_come_out_once_and_in_order(arrivals: list[int]) -> None:
    buffer: Reorder[int] = Reorder()
    assert [out for seq in arrivals for out in buffer.take("7", seq, seq)] == list(range(1, 9))
