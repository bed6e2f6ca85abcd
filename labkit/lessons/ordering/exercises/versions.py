"""Lesson 08, repair: the last writer wins, and it was not the newest. A version check, in the write itself."""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

from labkit.lessons.ordering.exercises.reordering import came_in
from labkit.teach.checks.answer import Purse, asked
from labkit.teach.exercises.exercise import Exercise, Wrong, for_real
from labkit.teach.exercises.verdict import Finding, Verdict

STATUS = {1: "placed", 2: "paid", 3: "packed", 4: "shipped", 5: "delivered"}
_TABLE = "CREATE TABLE orders (name TEXT PRIMARY KEY, status TEXT, seq INTEGER)"
_NEWEST = (
    "INSERT INTO orders VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE "
    "SET status = excluded.status, seq = excluded.seq WHERE excluded.seq > orders.seq"
)


class Orders:
    """The table `orders (name, status, seq)` in a database of its own. rival: another worker, who writes this right
    after somebody has looked."""

    def __init__(self, rival: tuple[str, int] | None = None) -> None:
        self._db = sqlite3.connect(":memory:", isolation_level=None)
        self._db.execute(_TABLE)
        self._rival, self._purse = rival, Purse(20_000)
        self.looked = False

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """Run one statement, as `sqlite3.Connection.execute`. Each is a transaction of its own."""
        self._purse.spend()
        found = self._db.execute(sql, parameters)
        if sql.lstrip().upper().startswith("SELECT") and self._rival is not None:
            self.looked, rows = True, found.fetchall()
            order, seq = self._rival
            self._db.execute(_NEWEST, (order, STATUS[seq], seq))
            return _Rows(rows)
        return found

    def seen(self) -> dict[str, int]:
        """order -> the number of the event that it shows."""
        return dict(self._db.execute("SELECT name, seq FROM orders").fetchall())

    def status(self, order: str) -> Any:
        row = self._db.execute("SELECT status FROM orders WHERE name = ?", (order,)).fetchone()
        return row[0] if row else None

    def close(self) -> None:
        self._db.close()


class _Rows(list[Any]):
    """What was looked up, in the manner of a cursor."""

    def fetchall(self) -> list[Any]:
        return list(self)

    def fetchone(self) -> Any:
        return self[0] if self else None


def _stub(db: Any, order: str, status: str, seq: int) -> None:
    db.execute("INSERT OR REPLACE INTO orders VALUES (?, ?, ?)", (order, status, seq))


def _answer(db: Any, order: str, status: str, seq: int) -> None:
    db.execute(
        "INSERT INTO orders VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE"
        " SET status = excluded.status, seq = excluded.seq WHERE excluded.seq > orders.seq",
        (order, status, seq),
    )


def _looks_first(db: Any, order: str, status: str, seq: int) -> None:
    row = db.execute("SELECT seq FROM orders WHERE name = ?", (order,)).fetchone()
    if row is None or seq > row[0]:
        db.execute("INSERT OR REPLACE INTO orders VALUES (?, ?, ?)", (order, status, seq))


def _the_next_only(db: Any, order: str, status: str, seq: int) -> None:
    db.execute("INSERT OR IGNORE INTO orders VALUES (?, '', 0)", (order,))
    db.execute("UPDATE orders SET status = ?, seq = ? WHERE name = ? AND seq = ?", (status, seq, order, seq - 1))


def _never_inserts(db: Any, order: str, status: str, seq: int) -> None:
    db.execute("UPDATE orders SET status = ?, seq = ? WHERE name = ? AND seq < ?", (status, seq, order, seq))


def _first_wins(db: Any, order: str, status: str, seq: int) -> None:
    db.execute("INSERT OR IGNORE INTO orders VALUES (?, ?, ?)", (order, status, seq))


def _forgets_the_number(db: Any, order: str, status: str, seq: int) -> None:
    db.execute("INSERT OR IGNORE INTO orders VALUES (?, '', 0)", (order,))
    db.execute("UPDATE orders SET status = ? WHERE name = ? AND seq < ?", (status, order, seq))


def _judge(answer: Callable[..., Any]) -> Sequence[Finding]:
    return [
        _shows(answer, "the first event of an order", (1,), 1),
        _shows(answer, "1 2 3, in order", (1, 2, 3), 3),
        _shows(answer, "delivered, then shipped", (1, 2, 3, 5, 4), 5),
        _shows(answer, "paid has not come yet", (1, 3), 3),
        _shows(answer, "packed, then placed and paid", (3, 1, 2), 3),
        _race(answer),
    ]


def _shows(answer: Callable[..., Any], case: str, came: Sequence[int], wanted: int) -> Finding:
    with closing(Orders()) as db:
        for seq in came:
            asked(answer, db, "order-1", STATUS[seq], seq)
        status = db.status("order-1")
    numbers = " ".join(map(str, came))
    if status == STATUS[wanted]:
        return Finding(True, f"{case} ({numbers}): the order is {status}.")
    return Finding(
        False, f"{case} ({numbers}): the order must be {STATUS[wanted]}, the table says {status or 'nothing'}."
    )


def _race(answer: Callable[..., Any]) -> Finding:
    """Another worker writes *delivered* between a look and a write, if there is a look."""
    with closing(Orders(rival=("order-1", 5))) as db:
        asked(answer, db, "order-1", STATUS[4], 4)
        now, newest = db.seen().get("order-1"), 5 if db.looked else 4
    if now == newest:
        return Finding(True, "Nobody can write between your check and your write.")
    return Finding(
        False, "Between your look and your write another worker wrote: check and write must be one statement."
    )


def on_a_run(answer: Any, result: Any) -> Verdict:
    """The same with the events of a real run, as they were handled there. result: `ordering.run`'s."""
    return for_real(version, answer, "a real run", lambda: _judge_run(answer, came_in(result)))


def _judge_run(answer: Callable[..., Any], came: list[tuple[str, int]]) -> Sequence[Finding]:
    last, newest = dict(came), dict(sorted(came))  # of what an order has, the last counts
    with closing(Orders()) as db:
        for order, seq in came:
            asked(answer, db, order, STATUS[seq], seq)
        seen = db.seen()
    stale = sum(last[order] != newest[order] for order in newest)
    wrong = sum(seen.get(order) != newest[order] for order in newest)
    came_last = f"The last to come was not the newest for {stale} orders; in your table {wrong} are wrong."
    return [Finding(not wrong, f"{came_last} (One writer at a time: the race between two is tried above.)")]


version = Exercise(
    name="save",
    task="Repair: an older event must not overwrite a newer one, whoever else writes. Only the newest counts.",
    stub=_stub,
    answer=_answer,
    judge=_judge,
    hints=(
        "What does the table know about the order that the event could be compared with, and when must that happen?",
        "Look and write in two statements, and somebody can write between them. A database can look while it writes: "
        "an INSERT can say what to do ON CONFLICT, and an UPDATE has a WHERE.",
        "INSERT INTO orders VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET status = excluded.status, seq = "
        "excluded.seq WHERE excluded.seq > orders.seq",
    ),
    wrong=(
        Wrong(_looks_first, "look, then write", "check and write must be one statement"),
        Wrong(_the_next_only, "only the next number may be written", "paid has not come yet"),
        Wrong(_never_inserts, "the row is there already", "the first event of an order"),
        Wrong(_first_wins, "the first writer wins", "1 2 3, in order"),
        Wrong(_forgets_the_number, "the status is enough", "delivered, then shipped"),
    ),
)
