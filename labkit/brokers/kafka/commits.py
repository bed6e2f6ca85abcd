"""Commits without a gap: events may finish in any order, but a commit covers all events before it."""


class Commits:
    """How far a member may commit in each of its partitions: up to the first event that is not finished.

    Bookkeeping alone: it knows no client, and belongs to one thread.
    """

    def __init__(self) -> None:
        self._open: dict[int, set[int]] = {}  # partition -> offsets of the events in work
        self._next: dict[int, int] = {}  # partition -> the offset after the last event that has begun
        self._committed: dict[int, int] = {}

    def begin(self, partition: int, offset: int) -> None:
        """The event at this offset is in work from now on. The first one of a partition is where it begins."""
        if partition not in self._open:
            self._open[partition] = set()
            self._next[partition] = self._committed[partition] = offset
        self._open[partition].add(offset)
        self._next[partition] = max(self._next[partition], offset + 1)

    def finish(self, partition: int, offset: int) -> None:
        """The event is handled, or with the dead letters."""
        self._open[partition].discard(offset)

    def due(self) -> dict[int, int]:
        """Partition -> the offset to commit (the next one to read). Only where it has risen since the last call."""
        upto = {partition: min(offsets, default=self._next[partition]) for partition, offsets in self._open.items()}
        risen = {partition: offset for partition, offset in upto.items() if offset > self._committed[partition]}
        self._committed |= risen
        return risen
