"""A reorder buffer: events that come too early wait for those before them."""

from typing import Generic, TypeVar

from labkit.base.errors import LabError

T = TypeVar("T")


class NoNumberError(LabError):
    """An event without a sequence number cannot be put into order."""


class Reorder(Generic[T]):
    """Gives out what it takes in order of the number, key by key, beginning with 1.

    kept: how many wait for an earlier one. It forgets them when the process ends; and when an earlier one never
    comes, the later ones of that key wait forever: the price of order by the reader.
    """

    def __init__(self) -> None:
        self._next: dict[str, int] = {}
        self._early: dict[str, dict[int, T]] = {}
        self.kept = 0

    def take(self, key: str, seq: int, what: T) -> list[T]:
        """What can be handled now, in order. Empty when it has to wait, or came before.

        Raises NoNumberError when `seq` is not above 0.
        """
        if seq < 1:
            raise NoNumberError(
                f"An event of {key} has the sequence number {seq}: it has no place in an order.",
                "the publisher must number the events of each key from 1 (`Event(..., seq=1)`)",
            )
        due = self._next.get(key, 1)
        early = self._early.setdefault(key, {})
        if seq < due or seq in early:
            return []
        early[seq] = what
        self.kept += 1
        ready: list[T] = []
        while due in early:
            ready.append(early.pop(due))
            due += 1
        self._next[key] = due
        self.kept -= len(ready)
        return ready
