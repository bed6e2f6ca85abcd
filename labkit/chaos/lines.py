"""What a worker's parent needs to name a function, and to hear of it again."""

import os
import selectors
import sys
from collections.abc import Callable
from types import FunctionType

from labkit.base.errors import LabError


class WorkerError(LabError):
    """A worker cannot be started, has failed, or has ended when it was needed."""

    exit_code = 8


class Lines:
    """The reading end of a pipe, line by line."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._rest = b""
        self._selector = selectors.DefaultSelector()
        self._selector.register(descriptor, selectors.EVENT_READ)

    def read(self, within_s: float) -> list[bytes] | None:
        """The lines that are there, waiting up to `within_s` for something to come; None at the end of the pipe."""
        if not self._selector.select(max(within_s, 0)):
            return []
        data = os.read(self._descriptor, 1 << 16)
        if not data:
            return None  # a line that was cut short by a kill stays unread
        *lines, self._rest = (self._rest + data).split(b"\n")
        return lines

    def close(self) -> None:
        self._selector.close()
        os.close(self._descriptor)


def place(function: str | Callable[..., object]) -> tuple[str, str]:
    """(module, name) of a function that another process can import. Raises WorkerError when none can."""
    if isinstance(function, str):
        module, _, name = function.partition(":")
        if not all(part.isidentifier() for part in (*module.split("."), *name.split("."))):
            raise WorkerError(f"{function!r} names no function.", 'write "module:function"')
        return module, name
    module, name = getattr(function, "__module__", ""), getattr(function, "__qualname__", "")
    if module == "__main__" or not isinstance(function, FunctionType) or "<" in name:  # <locals>, <lambda>
        raise WorkerError(
            f"A worker cannot import {name or function!r} of {module or 'nowhere'}.",
            'give a function that stands in a module\'s file, or its name: "module:function"',
        )
    return module, name


def raised(worker: str, report: dict[str, str]) -> LabError:
    """The error of which a worker reports: of its own class if that is a LabError's, else a WorkerError."""
    kind = getattr(sys.modules.get(report["module"]), report["type"], None)
    if isinstance(kind, type) and issubclass(kind, LabError):
        try:
            return kind(report["what"], report["cure"])
        except TypeError:  # it wants to know more than these two
            pass
    error = WorkerError(f"The worker {worker} failed: {report['what']}", report["cure"] or "correct its function")
    error.add_note(report["traceback"])
    return error
