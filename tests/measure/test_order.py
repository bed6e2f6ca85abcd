"""Order, key by key, from a few rows."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rows import MS, handled

from labkit.events.trace import CONFIRMED, FAILED, HANDLED, Trace
from labkit.lessons.ordering import order_causes
from labkit.measure import order
from labkit.measure.order import Lane, Step


def lane(seqs: list[int]) -> Lane:
    (found,) = order.lanes(handled(("7", seqs)).to_frame())
    return found


def test_events_handled_in_order_leave_the_lane_whole() -> None:
    whole = lane([1, 2, 3, 4, 5])
    assert not whole.out_of_order and whole.worst() is None and whole.out_of_place() == set()


def test_an_event_handled_before_a_lower_one_breaks_the_lane() -> None:
    broken = lane([2, 1, 3])
    assert broken.out_of_order
    assert [step.seq for step in broken.steps] == [2, 1, 3]


def test_the_worst_pair_is_the_one_with_the_widest_gap_and_says_so_in_words() -> None:
    worst = lane([2, 3, 4, 1, 5]).worst()
    assert worst and (worst.ahead.seq, worst.late.seq) == (2, 1)
    assert worst.sentence() == "paid 30 ms before placed"


def test_a_gap_below_a_millisecond_keeps_a_digit() -> None:
    early, late = Step(2, "PaymentTaken", "a", 1.0, "", "x"), Step(1, "OrderPlaced", "a", 1.0004, "", "y")
    assert order.Inversion(early, late).sentence() == "paid 0.4 ms before placed"


def test_only_the_first_time_that_an_event_is_handled_counts() -> None:
    trace = handled(("7", [1, 2, 3]))
    trace.add(HANDLED, "7", 1, "7-1", "orders/0", who="warehouse#1", t_ns=10**9)
    (found,) = order.lanes(trace.to_frame())
    assert not found.out_of_order and len(found.steps) == 3


def test_events_without_a_number_have_no_place_in_a_lane() -> None:
    trace = handled(("7", [1, 2]))
    trace.add(HANDLED, "7", 0, "7-0", "orders/0", who="warehouse#1")
    (found,) = order.lanes(trace.to_frame())
    assert len(found.steps) == 2


def test_only_the_service_and_the_broker_that_are_asked_for_are_looked_at() -> None:
    trace = handled(("7", [1, 2]))
    trace.add(HANDLED, "7", 3, "7-3", "q", who="analytics", broker="rabbitmq")
    rows = trace.to_frame()
    assert [len(one.steps) for one in order.lanes(rows, service="warehouse")] == [2]
    assert [len(one.steps) for one in order.lanes(rows, broker="rabbitmq")] == [1]


@given(st.permutations([1, 2, 3, 4, 5, 6]))
def test_without_what_is_out_of_place_the_rest_is_in_order_and_no_smaller_set_would_do(seqs: list[int]) -> None:
    moved = lane(list(seqs)).out_of_place()
    rest = [seq for i, seq in enumerate(seqs) if i not in moved]
    assert rest == sorted(rest)
    longest = max(n for n in range(1, 7) for kept in _subsequences(seqs, n) if list(kept) == sorted(kept))
    assert len(rest) == longest


def _subsequences(seqs: list[int], n: int) -> list[tuple[int, ...]]:
    from itertools import combinations

    return list(combinations(seqs, n))


def test_every_permutation_that_is_not_sorted_is_broken() -> None:
    found = {seqs: lane(list(seqs)).out_of_order for seqs in permutations([1, 2, 3, 4])}
    assert len(found) == 24
    assert [seqs for seqs, broken in found.items() if not broken] == [(1, 2, 3, 4)]


def two(channels: tuple[str, str], whos: tuple[str, str]) -> Trace:
    """Event 2 is handled before event 1."""
    trace = Trace()
    for at, seq, channel, who in ((1, 2, channels[1], whos[1]), (2, 1, channels[0], whos[0])):
        trace.add(HANDLED, "7", seq, f"7-{seq}", channel, who=who, t_ns=at * MS)
    return trace


def cause(trace: Trace) -> str:
    rows = trace.to_frame()
    ((found, n),) = order_causes.count(order.lanes(rows), rows).items()
    assert n == 1
    return found


@pytest.mark.parametrize(
    ("channels", "whos", "expected"),
    [
        (("orders/0", "orders/1"), ("w#1", "w#1"), order_causes.PARTITIONS),
        (("orders.0", "orders.1"), ("w#1", "w#2"), order_causes.QUEUES),
        (("orders", "orders"), ("w#1", "w#2"), order_causes.COPIES),
        (("orders", "orders"), ("w#1.1", "w#1.4"), order_causes.WORKERS),
    ],
)
def test_the_cause_is_told_from_where_the_events_lay_and_who_handled_them(
    channels: tuple[str, str], whos: tuple[str, str], expected: str
) -> None:
    assert cause(two(channels, whos)) == expected


def test_an_event_that_failed_first_is_out_of_order_because_it_was_tried_again() -> None:
    trace = two(("orders/0", "orders/0"), ("w#1", "w#1"))
    trace.add(FAILED, "7", 1, "7-1", "orders/0", who="w#1", t_ns=1)
    assert cause(trace) == order_causes.RETRIED


def test_events_that_lie_in_the_log_the_wrong_way_round_were_written_so() -> None:
    trace = two(("orders/0", "orders/0"), ("w#1", "w#1"))
    for seq, position in ((1, 11), (2, 10)):
        trace.add(CONFIRMED, "7", seq, f"7-{seq}", "orders/0", position, who="shop", t_ns=seq)
    assert cause(trace) == order_causes.WRITTEN


def test_every_cause_has_words() -> None:
    assert set(order_causes.WHY) == {
        order_causes.PARTITIONS, order_causes.QUEUES, order_causes.COPIES, order_causes.WORKERS, order_causes.RETRIED,
        order_causes.WRITTEN,
    }  # fmt: skip
