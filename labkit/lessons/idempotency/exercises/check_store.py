"""A real SQLite file that can be crashed at each step of an answer: before a statement, before and after a commit."""

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

from labkit.events.event import Event
from labkit.patterns import inbox
from labkit.teach.checks.answer import EndlessError


class Crash(BaseException):
    """The consumer is gone, at this step. No `except Exception` of an answer sees it."""


class Store:
    """What an answer is handed as `store`: the connection, one step at a time."""

    def __init__(self, path: Path, dies_at: int) -> None:
        self._file = sqlite3.connect(path, timeout=10)
        self._dies_at, self._steps = dies_at, 0

    def execute(self, sql: str, values: Any = ()) -> sqlite3.Cursor:
        """One statement."""
        self._step(f"before {' '.join(sql.split()[:1])}")
        return self._file.execute(sql, values)

    def charge(self, order: str, cents: int) -> None:
        """Write a charge, without a commit."""
        self._step("before the charge")
        self._file.execute("INSERT INTO charges VALUES (?, ?)", (order, cents))

    def commit(self) -> None:
        """End the transaction."""
        if self._file.in_transaction:
            self._step("before the commit")
            self._file.commit()
            self._step("after the commit")

    def rollback(self) -> None:
        self._file.rollback()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: Any, error: Any, where: Any) -> None:
        if kind is None:
            self.commit()
        else:
            self.rollback()

    def close(self) -> None:
        self._file.close()

    def _step(self, words: str) -> None:
        self._steps += 1
        if self._steps == self._dies_at:
            raise Crash(words)


class Stores:
    """Fresh files, in a folder that is gone after the `with`."""

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="labkit-exercise-"))
        self._made = 0
        return self

    def __exit__(self, *problem: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def fresh(self) -> Path:
        """A file with an empty inbox and no charges."""
        self._made += 1
        path = self._folder / f"{self._made}.db"
        file = sqlite3.connect(path)
        file.execute("CREATE TABLE charges (order_id TEXT, cents INTEGER)")
        inbox.create(file)
        file.commit()
        file.close()
        return path

    @contextmanager
    def open(self, path: Path, dies_at: int = 0) -> Iterator[Store]:
        """The file for one life; what is not committed at its end is gone. dies_at: the step of the crash; 0: none."""
        store = Store(path, dies_at)
        try:
            yield store
        finally:
            store.close()

    def charges(self, path: Path) -> int:
        """How many charges are stored, seen by somebody else."""
        file = sqlite3.connect(path)
        try:
            return int(file.execute("SELECT count(*) FROM charges").fetchone()[0])
        finally:
            file.close()


class Again(NamedTuple):
    """An answer crashed at this step, the event came again. charges: how many are stored then."""

    step: int
    crashed_at: str
    charges: int


def order_placed() -> Event:
    """An order that is to be charged. Each has an id of its own."""
    return Event("OrderPlaced", "/shop/checkout", "17", {"cents": 499}, seq=1)


def crashed_at_each_step(stores: Stores, handle: Callable[[Store, Event], object], most: int) -> Iterator[Again]:
    """Crash `handle` at its first step, then, in a fresh file, at its second …, each time followed by a second life.

    Ends when it comes through without a crash. Raises EndlessError when it has `most` steps or more, and whatever
    `handle` raises.
    """
    for step in range(1, most):
        path, event = stores.fresh(), order_placed()
        try:
            with stores.open(path, step) as store:
                handle(store, event)
            return
        except Crash as crash:
            crashed_at = str(crash)
        with stores.open(path) as store:
            handle(store, event)
        yield Again(step, crashed_at, stores.charges(path))
    raise EndlessError(f"after {most} steps it was still not done")
