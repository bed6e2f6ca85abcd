"""What happened, as rows. Pictures, sentences and checks read only these.

One row per thing that happened: `trace.add("handled", key="42", who="inventory")`. Inside a process rows are kept in
a `Trace`; a process of its own writes them to a `TraceFile`, and `Trace.read_folder` brings the files together.
Clock: `now_ns`, the same for all processes of one machine.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from labkit.base.errors import StorageError
from labkit.events.rows import (
    ACKED,
    ANSWERED,
    ASKED,
    CONFIRMED,
    DEAD,
    DUE,
    EFFECT,
    FAILED,
    HANDLED,
    PUBLISHED,
    RECEIVED,
    USED,
    Row,
    now_ns,
    role,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "ACKED", "ANSWERED", "ASKED", "CONFIRMED", "DEAD", "DUE", "EFFECT", "FAILED", "HANDLED", "PUBLISHED", "RECEIVED",
    "USED", "Row", "Trace", "TraceFile", "Tracer", "now_ns", "read", "role",
]  # fmt: skip

_DEFAULTS = tuple(Row(0, ""))
_TYPES = tuple(type(value) for value in _DEFAULTS)


class Tracer(Protocol):
    """Anything that takes rows: a Trace, a TraceFile."""

    def add(
        self,
        what: str,
        key: str = "",
        seq: int = 0,
        event_id: str = "",
        channel: str = "",
        position: int = -1,
        who: str = "",
        broker: str = "",
        note: str = "",
        t_ns: int | None = None,
    ) -> None: ...


class Trace:
    """Rows in memory. Any thread may add; nobody waits, because appending to a list is one step in Python."""

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self._rows: list[tuple[Any, ...]] = list(rows)
        self._append = self._rows.append
        self.broken_lines = 0  # of the files that were read: lines cut off when their writer was killed

    def add(
        self,
        what: str,
        key: str = "",
        seq: int = 0,
        event_id: str = "",
        channel: str = "",
        position: int = -1,
        who: str = "",
        broker: str = "",
        note: str = "",
        t_ns: int | None = None,
    ) -> None:
        """Add one row. t_ns: when it happened, if not now. Columns: see `Row`."""
        # A plain tuple: a Row costs twice as much. `rows` makes Rows of them.
        when = now_ns() if t_ns is None else t_ns
        self._append((when, what, key, seq, event_id, channel, position, who, broker, note))

    def __len__(self) -> int:
        return len(self._rows)

    def rows(self) -> list[Row]:
        """A copy of the rows, in order of time."""
        return sorted(map(Row._make, self._rows.copy()), key=_when)

    def clear(self) -> None:
        """Forget all rows."""
        self._rows.clear()
        self.broken_lines = 0

    def read_folder(self, folder: Path) -> int:
        """Add the rows of all trace files in `folder`; return the number of lines that were cut off."""
        rows, broken = read(folder)
        self._rows.extend(rows)
        self.broken_lines += broken
        return broken

    def to_frame(self) -> "pd.DataFrame":
        """The rows as a table in order of time: the columns of `Row`, and `t_s`, seconds from the first row."""
        from labkit.events import frames

        return frames.frame(self._rows.copy())

    def deliveries(self) -> "pd.DataFrame":
        """One line per delivery of an event to a consumer. See `labkit.events.frames.deliveries`."""
        from labkit.events import frames

        return frames.deliveries(self.to_frame())


class TraceFile:
    """Rows of one process, in a file of its own: each row is one line, written whole by one system call.

    So a row is in the file, all of it, once `add` has returned, also when the process is killed in the next moment.
    path: a file that ends in `.jsonl`; rows are added at its end. who: for rows that do not say who.
    Raises StorageError when the file cannot be written.
    """

    def __init__(self, path: Path, who: str = "") -> None:
        self.path = path
        self._who = who
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o600)
        except OSError as error:
            raise _cannot_write(path, error.strerror) from error
        size = os.lseek(self._fd, 0, os.SEEK_END)
        if size:
            os.lseek(self._fd, size - 1, os.SEEK_SET)
            if os.read(self._fd, 1) != b"\n":  # the writer before us was killed: do not glue our row to its half
                self._write(b"\n")

    def add(
        self,
        what: str,
        key: str = "",
        seq: int = 0,
        event_id: str = "",
        channel: str = "",
        position: int = -1,
        who: str = "",
        broker: str = "",
        note: str = "",
        t_ns: int | None = None,
    ) -> None:
        """Add one row. t_ns: when it happened, if not now. Columns: see `Row`."""
        when = now_ns() if t_ns is None else t_ns
        row = (when, what, key, seq, event_id, channel, position, who or self._who, broker, note)
        self._write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))

    def _write(self, line: bytes) -> None:
        try:
            written = os.write(self._fd, line)
        except OSError as error:
            raise _cannot_write(self.path, error.strerror) from error
        if written != len(line):
            raise _cannot_write(self.path, "the disk is full")

    def close(self) -> None:
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)


def read(folder: Path) -> tuple[list[Row], int]:
    """All rows of the trace files (`*.jsonl`) in `folder` in order of time, and how many lines were not whole.

    A line is cut off when its writer is killed or its disk is full. It is left out and counted; the rest is good.
    """
    rows: list[Row] = []
    broken = 0
    for path in sorted(folder.glob("*.jsonl")):
        for row in _parsed(path.read_bytes()):
            if row is None:
                broken += 1
            else:
                rows.append(row)
    rows.sort(key=_when)
    return rows, broken


def _parsed(content: bytes) -> Iterator[Row | None]:
    for line in content.split(b"\n"):
        if not line:
            continue
        try:
            values = orjson.loads(line)
        except orjson.JSONDecodeError:
            yield None
            continue
        whole = type(values) is list and tuple(map(type, values)) == _TYPES
        yield Row._make(values) if whole else None


def _when(row: Row) -> int:
    return row.t_ns


def _cannot_write(path: Path, why: str | None) -> StorageError:
    return StorageError(f"The trace file {path} cannot be written: {why}.", "make room, or allow writing there")
