"""The payment service's own store: one SQLite file with the charges and the inbox."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from labkit.base import patience
from labkit.base.errors import StorageError
from labkit.patterns import inbox

_TIMEOUT_S = 2.0  # that another program may hold the file


class Ledger:
    """Who was charged, and how often. One thread at a time.

    path: of the file, or SQLite's own `file:…` address. by_order: an order has one row, which a second charge
    overwrites (upsert).
    Raises StorageError when the file cannot be opened or written; so do all methods.
    """

    def __init__(self, path: Path | str, by_order: bool = False) -> None:
        self.path, self._by_order = path, by_order
        unique = " PRIMARY KEY" if by_order else ""
        with self.guarded():
            uri = str(path).startswith("file:")
            self.store = sqlite3.connect(path, timeout=patience.seconds(_TIMEOUT_S), check_same_thread=False, uri=uri)
            try:
                self.store.execute("PRAGMA journal_mode = WAL")
                self.store.execute("PRAGMA synchronous = OFF")  # a killed process loses nothing by it, a power cut does
                self.store.execute("PRAGMA user_version = 1")  # a write: who may not shall hear it now
                self.store.execute(f"CREATE TABLE IF NOT EXISTS charges (order_id TEXT{unique}, cents INTEGER)")
                inbox.create(self.store)
                self.store.commit()
            except sqlite3.Error:
                self.store.close()
                raise

    def charge(self, order: str, cents: int) -> None:
        """Write one charge in the transaction that is under way; `with ledger.store:` ends it."""
        verb = "INSERT OR REPLACE" if self._by_order else "INSERT"
        self.store.execute(f"{verb} INTO charges VALUES (?, ?)", (order, cents))

    def remembered(self, event_id: str) -> bool:
        """Whether the event is in the inbox."""
        return self.store.execute("SELECT 1 FROM inbox WHERE event_id = ?", (event_id,)).fetchone() is not None

    def counts(self) -> dict[str, int]:
        """order -> number of charges."""
        with self.guarded():
            return dict(self.store.execute("SELECT order_id, count(*) FROM charges GROUP BY order_id"))

    def inbox_rows(self) -> int:
        """How many events the inbox remembers."""
        with self.guarded():
            return int(self.store.execute("SELECT count(*) FROM inbox").fetchone()[0])

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """What SQLite refuses inside is a StorageError with a cure."""
        try:
            yield
        except sqlite3.Error as error:
            raise StorageError(f"The ledger {self.path} cannot be used: {error}.", _cure(str(error))) from error

    def close(self) -> None:
        self.store.close()


def _cure(said: str) -> str:
    if "locked" in said:
        return "another program holds the file: close it there, or give another file"
    if "readonly" in said:
        return "allow writing to it (chmod u+w), or give another file"
    return "give a file in a folder that can be written"
