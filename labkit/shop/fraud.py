"""Fraud detection: looks at every order, and flags what a person should look at."""

import sqlite3

from labkit.events.event import Event
from labkit.shop.store import Clock

LIMIT_CENTS = 10_000
MINUTE_NS = 60 * 1_000_000_000
OFTEN = 3  # orders of one household within a minute

_TABLES = """
CREATE TABLE IF NOT EXISTS checks (
    order_id TEXT NOT NULL, event_id TEXT NOT NULL, via TEXT NOT NULL, household TEXT NOT NULL,
    verdict TEXT NOT NULL, at_ns INTEGER NOT NULL);
"""
_RECENT = "SELECT count(DISTINCT order_id) FROM checks WHERE household = ? AND via = ? AND order_id <> ? AND at_ns > ?"


class Fraud:
    """Writes a verdict for each order it is handed: "fine", or why it is flagged. store, clock: where and when."""

    handles = ("OrderPlaced",)

    def __init__(self, store: sqlite3.Connection, clock: Clock) -> None:
        self.store, self.clock = store, clock
        store.executescript(_TABLES)

    def handle(self, event: Event, via: str = "") -> str:
        """Check the order, and write the verdict down; the verdict. via: the way the order came."""
        household, cents = str(event.data.get("household", "")), int(event.data.get("total_cents", 0))
        now = self.clock()
        others = self._others_since(now - MINUTE_NS, household, event.subject, via)
        verdict = _verdict(cents, others + 1)
        self._write(event.subject, event.id, via, household, verdict, now)
        return verdict

    def _others_since(self, then_ns: int, household: str, order: str, via: str) -> int:
        """How many other orders of the household came this way since then."""
        (found,) = self.store.execute(_RECENT, (household, via, order, then_ns)).fetchone()
        return int(found)

    def _write(self, *row: object) -> None:
        with self.store:
            self.store.execute("INSERT INTO checks VALUES (?, ?, ?, ?, ?, ?)", row)


def _verdict(cents: int, orders: int) -> str:
    if cents > LIMIT_CENTS:
        return f"flagged: more than {LIMIT_CENTS / 100:.0f}"
    if orders >= OFTEN:
        return f"flagged: order {orders} of the household within a minute"
    return "fine"
