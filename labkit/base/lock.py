"""A lock between processes, on a file. The system lets go of it when its owner dies, however it dies."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from labkit.base import patience
from labkit.base.errors import NotInTimeError

try:
    import fcntl

    def _try(fd: int) -> bool:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

except ImportError:  # Windows
    import msvcrt

    def _try(fd: int) -> bool:
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        except OSError:
            return False
        return True


@contextmanager
def held(path: Path, within_s: float, on_wait: Callable[[], None] | None = None) -> Iterator[int]:
    """Hold the lock file `path` while the block runs; wait up to `within_s` seconds for another holder.

    Gives the file's descriptor: a child process that inherits it holds the lock too.
    on_wait: called once when somebody else has it, to tell the user. Raises NotInTimeError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        within_s = patience.seconds(within_s)
        end = time.monotonic() + within_s
        told = False
        while not _try(fd):
            if on_wait and not told:
                on_wait()
                told = True
            if time.monotonic() >= end:
                raise NotInTimeError(
                    f"Another process has held {path} for {within_s:g} s.",
                    "let the other `python -m labkit` finish, or end it",
                )
            time.sleep(0.05)
        yield fd
    finally:
        os.close(fd)
