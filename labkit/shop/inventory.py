"""Inventory: reserves stock for an order."""

import sqlite3
from collections.abc import Callable

from labkit.events.event import Event
from labkit.shop.store import Clock, order_lines

_TABLES = """
CREATE TABLE IF NOT EXISTS reservations (
    order_id TEXT NOT NULL, event_id TEXT NOT NULL, via TEXT NOT NULL, pieces INTEGER NOT NULL, at_ns INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS stock (product TEXT PRIMARY KEY, reserved INTEGER NOT NULL);
"""
_TAKE = """
INSERT INTO stock (product, reserved) VALUES (?, ?)
ON CONFLICT (product) DO UPDATE SET reserved = reserved + excluded.reserved
"""


class Inventory:
    """Takes every order it is handed, the same order twice too: it does not look whether it has seen it.

    store, clock: where and when a reservation is written down. publish: gets a StockReserved for each.
    """

    handles = ("OrderPlaced",)

    def __init__(self, store: sqlite3.Connection, clock: Clock, publish: Callable[[Event], None] | None = None) -> None:
        self.store, self.clock, self.publish = store, clock, publish
        store.executescript(_TABLES)

    def handle(self, event: Event, via: str = "") -> str:
        """Reserve every line of the order, all or none; what was done, in words. via: the way the order came."""
        lines = order_lines(event)
        pieces = sum(quantity for _, quantity in lines)
        with self.store:  # one transaction
            self.store.execute(
                "INSERT INTO reservations VALUES (?, ?, ?, ?, ?)",
                (event.subject, event.id, via, pieces, self.clock()),
            )
            self.store.executemany(_TAKE, lines)
        if self.publish:
            self.publish(event.caused("StockReserved", "/shop/inventory", {"order": event.subject, "pieces": pieces}))
        return f"{pieces} pieces reserved"
