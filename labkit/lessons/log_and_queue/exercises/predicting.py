"""Lesson 03, predict: eight orders, two readers, and who reads how many."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from labkit.teach.exercises.exercise import Exercise, Wrong
from labkit.teach.exercises.verdict import Finding

ORDERS = 8


@dataclass(frozen=True)
class _Situation:
    """How many of the eight A and B read. why: the rule behind it."""

    counts: tuple[int, int]
    why: str


_SHARE, _COPY = (4, 4), (8, 8)
_SITUATIONS = {
    "queue, A and B take turns": _Situation(_SHARE, "what one of them took, the other does not see: they share"),
    "queue, A acks all, then B": _Situation((8, 0), "what is acknowledged has left the queue"),
    "queue, A acks none and dies, then B": _Situation(
        _COPY, "reading removes nothing, the ack does: what is not acknowledged comes back"
    ),
    "two queues on a fanout": _Situation(_COPY, "the exchange puts a copy into each queue"),
    "two groups": _Situation(_COPY, "each group has its own place in the log"),
    "one group, 2 partitions": _Situation(_SHARE, "each member gets partitions of its own: here one of two"),
    "one group, 1 partition": _Situation((8, 0), "a partition has one reader in a group; the second waits, idle"),
    "one group, A commits all, then B": _Situation((8, 0), "the group's place is behind the eighth"),
    "one group, A commits none and dies, then B": _Situation(
        _COPY, "the group's place moves by the commit, not by reading"
    ),
    "stream, A from first, then B from first": _Situation(_COPY, "a stream is a log: reading takes nothing away"),
    "stream, A from first, then B from next": _Situation((8, 0), "next means: what is published from now on"),
}


def _stub() -> Any:
    return {
        "queue, A and B take turns": (..., ...),
        "queue, A acks all, then B": (..., ...),
        "queue, A acks none and dies, then B": (..., ...),
        "two queues on a fanout": (..., ...),
        "two groups": (..., ...),
        "one group, 2 partitions": (..., ...),  # four orders in each
        "one group, 1 partition": (..., ...),
        "one group, A commits all, then B": (..., ...),
        "one group, A commits none and dies, then B": (..., ...),
        "stream, A from first, then B from first": (..., ...),
        "stream, A from first, then B from next": (..., ...),
    }


def _answer() -> dict[str, tuple[int, int]]:
    return {
        "queue, A and B take turns": (4, 4),
        "queue, A acks all, then B": (8, 0),
        "queue, A acks none and dies, then B": (8, 8),
        "two queues on a fanout": (8, 8),
        "two groups": (8, 8),
        "one group, 2 partitions": (4, 4),
        "one group, 1 partition": (8, 0),
        "one group, A commits all, then B": (8, 0),
        "one group, A commits none and dies, then B": (8, 8),
        "stream, A from first, then B from first": (8, 8),
        "stream, A from first, then B from next": (8, 0),
    }


def _a_queue_copies() -> dict[str, tuple[int, int]]:
    return _answer() | {"queue, A and B take turns": _COPY, "queue, A acks all, then B": _COPY}


def _reading_removes() -> dict[str, tuple[int, int]]:
    return {name: (8, 0) if "none" in name else right for name, right in _answer().items()}


def _groups_share() -> dict[str, tuple[int, int]]:
    return _answer() | {"two groups": _SHARE}


def _members_share_a_partition() -> dict[str, tuple[int, int]]:
    return _answer() | {"one group, 1 partition": _SHARE}


def _members_copy() -> dict[str, tuple[int, int]]:
    return _answer() | {"one group, 2 partitions": _COPY, "one group, 1 partition": _COPY}


def _a_stream_is_a_queue() -> dict[str, tuple[int, int]]:
    return _answer() | {"stream, A from first, then B from first": (8, 0)}


def _judge(answer: Callable[..., Any]) -> Sequence[Finding]:
    said = answer()
    if not isinstance(said, dict):
        return [Finding(False, f"Return the dictionary, situation by situation; this is {said!r:.60}.")]
    return [_situation(name, right, said.get(name, ...)) for name, right in _SITUATIONS.items()]


def _situation(name: str, right: _Situation, said: Any) -> Finding:
    counts = tuple(said) if isinstance(said, tuple | list) else (said,)
    if ... in counts:
        return Finding(False, f"{name}: still open.")
    if len(counts) != 2 or not all(isinstance(one, int | float) for one in counts):
        return Finding(False, f"{name}: give two numbers, what A reads and what B reads, not {said!r:.40}.")
    # In a group nobody knows beforehand which of the two members gets the only partition.
    idle = name == "one group, 1 partition" and sorted(counts) == sorted(right.counts)
    a, b = right.counts
    if counts == right.counts or idle:
        return Finding(True, f"{name}: {a} and {b}, {right.why}.")
    return Finding(False, f"{name}: A reads {a} and B {b}, you said {counts[0]:g} and {counts[1]:g}: {right.why}.")


predict = Exercise(
    name="who_reads",
    task="Eight orders, two readers: say how many A reads and how many B reads, in each situation.",
    stub=_stub,
    answer=_answer,
    judge=_judge,
    hints=(
        "Ask of each situation: is there one place to read from, or two? And what moves it, reading or saying so?",
        "One queue and one group are one place each: two readers share it. Two queues and two groups are two. An ack "
        "takes a message out of a queue, a commit moves the group's place; from a stream nothing goes at all.",
        "Both read all eight: acks none, commits none, two queues, two groups, stream from first. They share, four "
        "each: taking turns, two partitions. B reads nothing: acks all, commits all, one partition, from next.",
    ),
    wrong=(
        Wrong(_a_queue_copies, "everybody who reads a queue sees everything", "has left the queue"),
        Wrong(_reading_removes, "reading is what removes an event", "reading removes nothing, the ack does"),
        Wrong(_groups_share, "all readers of a topic share it", "each group has its own place"),
        Wrong(_members_share_a_partition, "two members share a partition", "the second waits, idle"),
        Wrong(_members_copy, "each member of a group gets every event", "each member gets partitions of its own"),
        Wrong(_a_stream_is_a_queue, "a stream is a queue that is read once", "a stream is a log"),
    ),
)
