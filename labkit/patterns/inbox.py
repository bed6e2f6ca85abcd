"""The inbox: what was done already, written down beside what it did. A consumer with an inbox does nothing twice.

    inbox.create(store)
    inbox.once(store, event.id, lambda: charge(store, event), event.time.timestamp())

store: a connection to the SQLite file in which the effect lands too. That is the whole trick: one file, one
transaction, so that the note and the effect are both there or both not. An effect outside this file is not covered.
"""

import sqlite3
from collections.abc import Callable


def create(store: sqlite3.Connection) -> None:
    """Make the table, if it is not there. An event without an id is refused by it (`sqlite3.IntegrityError`)."""
    store.execute(
        "CREATE TABLE IF NOT EXISTS inbox (event_id TEXT PRIMARY KEY, at REAL,"
        " CONSTRAINT an_event_needs_an_id CHECK (event_id <> ''))"
    )


def remember(store: sqlite3.Connection, event_id: str, at: float) -> bool:
    """Write the event down, in the transaction that is under way. False: it stood there already.

    One statement: the unique key checks and acts in the same moment, so that of two consumers only one hears True.
    at: when, in seconds; `forget` compares it.

    Built in: notebooks/09_idempotency.ipynb
    """
    return store.execute("INSERT INTO inbox VALUES (?, ?) ON CONFLICT DO NOTHING", (event_id, at)).rowcount == 1


def once(store: sqlite3.Connection, event_id: str, effect: Callable[[], object], at: float) -> bool:
    """Remember the event and do `effect`, both or neither; nothing when it is remembered already. Whether it was done.

    effect: writes to the same store, and does not commit. What it raises undoes the note too, and is raised.

    Built in: notebooks/09_idempotency.ipynb
    """
    with store:
        new = remember(store, event_id, at)
        if new:
            effect()
    return new


def forget(store: sqlite3.Connection, older_than: float) -> int:
    """Drop the notes of events before this time, so that the table does not grow forever; how many.

    A duplicate that comes later than that is done again.

    Built in: notebooks/09_idempotency.ipynb
    """
    with store:
        return store.execute("DELETE FROM inbox WHERE at < ?", (older_than,)).rowcount
