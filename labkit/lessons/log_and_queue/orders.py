"""Lesson 03's eight orders, and the table that says who has read which of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pandas as pd

from labkit.events.event import Event
from labkit.shop import orders

N = 8
# Chosen so that the keys de, fr and pt are apart on two and on three partitions.
COUNTRIES = ("de", "fr", "de", "pt", "de", "fr", "pt", "de")
VIA = ("web", "web", "app", "web", "phone", "app", "phone", "web")

DONE, OPEN, DEAD, UNREAD = "done", "open", "dead", ""  # how an order ended at a reader
AGAIN = " again"  # ends the name of a reader that is started again, in the place of one that has died
COLUMNS = ("broker", "reader", "seq", "times", "end")


def eight(now: datetime | None = None) -> list[Event]:
    """Eight real baskets as OrderPlaced, numbered 1 to 8 (`seq`), one a minute; the last one was placed `now`.

    data also has `country` (de, fr, pt) and `via` (web, app, phone), which the real baskets do not have.
    """
    last = now or datetime.now(UTC)
    events = []
    for i, order in enumerate(orders.load(limit=N)):
        event = Event.from_dict(order.placed_event())
        data = event.data | {"country": COUNTRIES[i], "via": VIA[i]}
        events.append(
            replace(event, subject=f"order-{i + 1}", seq=i + 1, data=data, time=last - timedelta(minutes=N - 1 - i))
        )
    return events


def number(raw: bytes | None) -> int:
    """Which of the eight these bytes are. Raises EventError for bytes that are no event."""
    return Event.from_bytes(raw or b"").seq


@dataclass
class Read:
    """What one reader has read. broker: kafka, rabbitmq or stream. seqs: in the order in which they came, repeats too.

    dead: put with the dead letters. unsaid: read, and the broker was never told that they are done.
    """

    broker: str
    reader: str
    seqs: list[int] = field(default_factory=list)
    dead: set[int] = field(default_factory=set)
    unsaid: set[int] = field(default_factory=set)

    @property
    def place(self) -> str:
        """Whose group or queue it reads: started again, it has the place of the one that died."""
        return self.reader.removesuffix(AGAIN)

    def who(self, shared: bool) -> str:
        """Its name in the trace. Readers that share are copies of one: `reader#1`."""
        return self.place.replace(" ", "#") if shared else self.place

    def end(self, seq: int) -> str:
        if seq in self.dead:
            return DEAD
        if seq not in self.seqs:
            return UNREAD
        return OPEN if seq in self.unsaid else DONE


def table(reads: Sequence[Read], n: int = N) -> pd.DataFrame:
    """One row per reader and order: broker, reader, seq, times (how often it got it), end (DONE, OPEN, DEAD …)."""
    rows = [
        (read.broker, read.reader, seq, read.seqs.count(seq), read.end(seq))
        for read in reads
        for seq in range(1, n + 1)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def side_by_side(**brokers: Mapping[str, Sequence[int]]) -> pd.DataFrame:
    """The same table from numbers that you have read yourself: side_by_side(kafka={"first": [1, 2], "late": []})."""
    return table([Read(name, reader, list(seqs)) for name, some in brokers.items() for reader, seqs in some.items()])
