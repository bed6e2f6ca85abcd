"""Analytics: writes down every sale."""

import sqlite3

from labkit.events.event import Event
from labkit.shop.store import Clock

_TABLES = """
CREATE TABLE IF NOT EXISTS sales (
    order_id TEXT NOT NULL, event_id TEXT NOT NULL, via TEXT NOT NULL, store TEXT NOT NULL,
    total_cents INTEGER NOT NULL, at_ns INTEGER NOT NULL);
"""


class Analytics:
    """Writes down each order it is handed, with the store and the sum. store, clock: where and when."""

    handles = ("OrderPlaced",)

    def __init__(self, store: sqlite3.Connection, clock: Clock) -> None:
        self.store, self.clock = store, clock
        store.executescript(_TABLES)

    def handle(self, event: Event, via: str = "") -> str:
        """Write the sale down; what was done, in words. via: the way the order came."""
        store, cents = str(event.data.get("store", "")), int(event.data.get("total_cents", 0))
        with self.store:
            self.store.execute(
                "INSERT INTO sales VALUES (?, ?, ?, ?, ?, ?)",
                (event.subject, event.id, via, store, cents, self.clock()),
            )
        return "sale written down"
