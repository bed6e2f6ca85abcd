"""Traces by hand: a few rows, no broker."""

from labkit.events.trace import HANDLED, PUBLISHED, Trace
from labkit.lessons.ordering.load import LIFE

MS = 1_000_000


def handled(
    *lives: tuple[str, list[int]], channel: str = "orders/0", who: str = "warehouse#1", every_ms: int = 10
) -> Trace:
    """A trace in which each order is published in order, and handled in the order given, `every_ms` apart."""
    trace = Trace()
    at = 0
    for key, seqs in lives:
        for seq in sorted(seqs):
            at += MS
            trace.add(PUBLISHED, key, seq, f"{key}-{seq}", channel, who="shop", note=LIFE[(seq - 1) % 5], t_ns=at)
        for seq in seqs:
            at += every_ms * MS
            trace.add(HANDLED, key, seq, f"{key}-{seq}", channel, who=who, note=LIFE[(seq - 1) % 5], t_ns=at)
    return trace
