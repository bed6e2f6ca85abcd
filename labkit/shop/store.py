"""A service's own store: one SQLite file, which nobody else writes."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

from labkit.base.errors import StorageError
from labkit.events.event import Event, EventError

Clock = Callable[[], int]
"""Answers the time in ns; `events.trace.now_ns` in the shop."""


def connect(path: Path | str) -> sqlite3.Connection:
    """Open the store, or make it. What is committed survives `kill -9`; a power cut may take the last moments.

    One thread at a time may use it. Raises StorageError.
    """
    try:
        store = sqlite3.connect(path, check_same_thread=False)
        store.execute("PRAGMA journal_mode = WAL")
        store.execute("PRAGMA synchronous = NORMAL")
    except sqlite3.Error as error:
        raise StorageError(f"The store {path} cannot be opened: {error}.", "make room, or allow writing") from error
    return store


def order_lines(event: Event) -> list[tuple[str, int]]:
    """(product, quantity) of each line of an OrderPlaced. Raises EventError that names the field."""
    try:
        return [(str(line["product"]), int(line["quantity"])) for line in event.data["lines"]]
    except (KeyError, TypeError, ValueError) as error:
        raise EventError(
            f"The event {event.id} is no OrderPlaced: a line without product or quantity ({error!r}).",
            "let checkout publish it",
            field="data.lines",
            raw=event.to_bytes(),
        ) from error
