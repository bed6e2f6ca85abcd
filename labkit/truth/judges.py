"""Rows in, yes or no out: one judge a question, the same for every broker.

A judge answers its question for one case: True is yes, False is no, None is "has no meaning here". It raises
NoEvidenceError when the rows cannot tell.
"""

from collections.abc import Callable, Iterable

from labkit.events.trace import DUE
from labkit.truth.cases import (
    ACKED,
    CONFIRMED,
    FAILED,
    GIVEN_BACK,
    HANDLED,
    KILLED,
    MARK,
    PUBLISHED,
    RECEIVED,
    NoEvidenceError,
    Row,
    of,
)

Rows = tuple[Row, ...]
Judge = Callable[[Rows], bool | None]

MEGABYTE = 1_000_000
# Who, in the rows. ONE: the only consumer there is.
ONE, LATE, FIRST, SECOND, SLOW, FAST = "consumer", "late reader", "consumer#1", "consumer#2", "slow", "fast"
SHORT_LIVED, URGENT = "short-lived", "urgent"  # notes on a published event


def key_order(rows: Rows) -> bool:
    """Every event was handled, those of a key in the order of their numbers."""
    sent, done = _sent(rows), list(of(rows, HANDLED))
    return {row.event_id for row in done} == {row.event_id for row in sent} and _rises_in_each_key(done)


def total_order(rows: Rows) -> bool:
    return [row.event_id for row in of(rows, HANDLED)] == [row.event_id for row in _sent(rows)]


def two_consumers(rows: Rows) -> bool | None:
    """None when both got every event: then they share nothing."""
    sent = {row.event_id for row in _sent(rows)}
    got = [{row.event_id for row in of(rows, HANDLED, who)} for who in (FIRST, SECOND)]
    if got[0] | got[1] != sent:
        raise _unseen("not every event was handled by one of two consumers")
    return None if got[0] == got[1] == sent else _rises_in_each_key(of(rows, HANDLED))


def put_back(rows: Rows) -> bool:
    """The event that was given back came again, and nothing sent after it was handled before it."""
    if not any(of(rows, GIVEN_BACK)):
        raise _unseen("no event was given back")
    return key_order(rows)


def crash(rows: Rows) -> bool:
    if not any(of(rows, KILLED, FIRST)):
        raise _unseen("the consumer was not killed")
    acked = {row.event_id for row in of(rows, ACKED, FIRST)}
    lost = {row.event_id for row in of(rows, RECEIVED, FIRST)} - acked
    if not lost:
        raise _unseen("the consumer had acknowledged everything before it died")
    return lost <= {row.event_id for row in of(rows, RECEIVED, SECOND)}


def replay(rows: Rows) -> bool:
    acked = {row.event_id for row in of(rows, ACKED, FIRST)}
    if not acked:
        raise _unseen("nobody had acknowledged anything")
    return acked <= {row.event_id for row in of(rows, RECEIVED, LATE)}


def slow_reader(rows: Rows) -> bool:
    """The fast one had to wait for the slow one's first event, or did not get everything."""
    slow = next(of(rows, HANDLED, SLOW), None)
    if slow is None:
        raise _unseen("the slow service handled nothing")
    before = {row.event_id for row in of(rows, HANDLED, FAST) if row.t_ns < slow.t_ns}
    return before != {row.event_id for row in _sent(rows)}


def nobody(rows: Rows) -> bool:
    return _arrived(rows, [row.event_id for row in _confirmed(rows)])


def unroutable(rows: Rows) -> bool:
    """The sender heard of a refusal. A confirm, or nothing, is not being told."""
    _sent(rows)
    return any(of(rows, FAILED))


def retry_twice(rows: Rows) -> bool:
    sent = [row.event_id for row in _sent(rows)]
    got = [row.event_id for row in of(rows, RECEIVED, LATE)]
    if len(sent) == len(set(sent)) and not any(of(rows, FAILED)) and not any(row.note == "again" for row in rows):
        raise _unseen("the sender did not try again")
    if set(sent) - set(got):
        raise _unseen("an event that was sent again did not arrive at all")
    return len(got) > len(set(got))


def large(rows: Rows) -> bool:
    sent = _sent(rows)
    if min(row.position for row in sent) <= MEGABYTE:
        raise _unseen("the event was not larger than 1 MB")
    got = {row.event_id: row.position for row in of(rows, RECEIVED)}
    return all(got.get(row.event_id) == row.position for row in sent)


def delay(rows: Rows) -> bool:
    due = {row.event_id: row.t_ns for row in of(rows, DUE)}
    if not due:
        raise _unseen("no time was said at which the event is due")
    got = {row.event_id: row.t_ns for row in of(rows, RECEIVED)}
    return all(name in got and got[name] >= at for name, at in due.items())


def priority(rows: Rows) -> bool:
    """The urgent event, sent last, was received first."""
    sent, got = _sent(rows), list(of(rows, RECEIVED))
    if sent[-1].note != URGENT or len(got) < len(sent):
        raise _unseen("the urgent event was not sent last, or not all events arrived")
    return got[0].event_id == sent[-1].event_id


def expiry(rows: Rows) -> bool:
    """The short-lived event was gone for a reader who did get the event that came after it."""
    sent = _confirmed(rows)
    short = [row.event_id for row in _sent(rows) if row.note == SHORT_LIVED]
    marks = [row.event_id for row in sent if row.key == MARK]
    if not short or not marks or not _arrived(rows, marks[-1:]):
        raise _unseen("the reader did not get the event that was to show that he reads")
    return not _arrived(rows, short)


def kill(rows: Rows) -> bool:
    killed = next(of(rows, KILLED), None)
    if killed is None:
        raise _unseen("the broker was not killed")
    confirmed = [row.event_id for row in _confirmed(rows) if row.t_ns < killed.t_ns]
    return _arrived(rows, confirmed)


JUDGES: dict[str, Judge] = {
    judge.__name__: judge
    for judge in (
        key_order, total_order, two_consumers, put_back, crash, replay, slow_reader, nobody, unroutable, retry_twice,
        large, delay, priority, expiry, kill,
    )
}  # fmt: skip


def _sent(rows: Rows) -> list[Row]:
    sent = [row for row in of(rows, PUBLISHED) if row.key != MARK]
    if not sent:
        raise _unseen("nothing was published")
    return sent


def _confirmed(rows: Rows) -> list[Row]:
    found = list(of(rows, CONFIRMED))
    if not found:
        raise _unseen("the broker confirmed nothing")
    return found


def _arrived(rows: Rows, names: Iterable[str]) -> bool:
    return set(names) <= {row.event_id for row in of(rows, RECEIVED, LATE)}


def _rises_in_each_key(rows: Iterable[Row]) -> bool:
    last: dict[str, int] = {}
    for row in rows:
        if row.seq < last.get(row.key, 0):
            return False
        last[row.key] = row.seq
    return True


def _unseen(what: str) -> NoEvidenceError:
    return NoEvidenceError(f"The rows cannot tell: {what}.", "this is a fault of the probe, or the machine is too busy")
