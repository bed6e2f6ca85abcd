"""What a log and a queue have in common here, and no more: who makes them, who publishes, who reads."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from labkit.events.event import Event
from labkit.lessons.log_and_queue.orders import Read

TIMEOUT_S = 20.0
TURN_S = 0.005  # how long a reader that has nothing may wait for more, before the next one is asked
TRIES = 4  # an order that fails is handed out so often: the first time, and three times again (x-delivery-limit 3)


class Reader(Protocol):
    """One of them, asked in turn for what it has, by one thread. read: what it has read.

    They share no code with brokers: what differs is what there is to learn.
    """

    read: Read

    def take(self) -> int | None:
        """The number of the next order, or None: there is none yet."""

    def done(self) -> None:
        """Tell the broker that the order which was taken last is done."""

    def failed(self) -> None:
        """It could not be handled: try again, until the limit; then put it with the dead letters."""

    def close(self) -> None:
        """Leave. What the broker was not told of, it gives out again, if it is one that does."""


class Backend(Protocol):
    """A log or a queue. look: how it is drawn, a name of `plots.style.LOOKS`. shares: readers can share it."""

    look: str

    @property
    def shares(self) -> bool: ...

    def made(self) -> AbstractContextManager[None]:
        """It is there for the length of a `with`."""

    def open(self, names: Sequence[str]) -> list[Reader]:
        """One reader for each name. Nothing has been published yet."""

    def publish(self, events: Sequence[Event]) -> None:
        """Publish them all; returns when all are confirmed."""

    def again(self, name: str) -> Reader:
        """One more reader beside the others; with AGAIN behind a name, in the place of the one that had it."""

    def wait_for_dead_letters(self, dead: int) -> None:
        """Wait until so many are where they belong, if it is the broker that takes them there."""

    def late(self, name: str) -> Read:
        """What a reader reads that comes when the others have read everything and have left."""
