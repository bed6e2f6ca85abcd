"""The worker's side of a `Worker`: what its function is given to talk to the process that started it.

A worker process loads this file and the module of its function, and nothing else. So it stays light.
"""

import importlib
import json
import os
import queue
import sys
import threading
from typing import Any

from labkit.base.errors import LabError

READY, MESSAGE, ERROR = "ready", "message", "error"  # the kinds of lines from a worker to its parent


class MessageError(LabError):
    """A message between a worker and its parent is not JSON."""


class Parent:
    """The process that started this one. Every worker function gets it as its first argument.

    This process ends when its parent ends, however that ends: nothing that is awaited here waits forever.
    """

    def __init__(self, lines_to_parent: int) -> None:
        self._to = lines_to_parent
        self._lock = threading.Lock()
        self._received: queue.SimpleQueue[Any] = queue.SimpleQueue()
        threading.Thread(target=self._read, name="messages from the parent", daemon=True).start()

    def send(self, value: Any) -> None:
        """Send a message, which the parent gets with `Worker.receive`. Any thread.

        value: what JSON knows; a tuple arrives as a list. Raises MessageError for anything else.
        """
        self.send_line(MESSAGE, value)

    def receive(self) -> Any:
        """The next message from `Worker.send`; waits for it. Where none is sent, this is how to wait to be killed."""
        return self._received.get()

    def send_line(self, kind: str, value: Any) -> None:
        """Send one line of the protocol."""
        line = memoryview(encoded([kind, value]))
        with self._lock:
            while line:
                line = line[os.write(self._to, line) :]

    def _read(self) -> None:
        rest = b""
        while data := os.read(0, 1 << 16):  # not sys.stdin: a thread that waits in it can crash Python's shutdown
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self._received.put(json.loads(line))
        os._exit(1)  # the parent is gone, or has let go of us


def encoded(value: Any) -> bytes:
    """One line of JSON. Raises MessageError for a value that JSON does not know."""
    try:
        return json.dumps(value).encode() + b"\n"
    except (TypeError, ValueError) as error:
        raise MessageError(
            f"A message between a worker and its parent must be JSON: {error}.",
            "send text, numbers, lists and dicts; give a function data, not objects",
        ) from error


def serve(lines_to_parent: int) -> None:
    """Run the function that the parent names, and report its error. This is all that a worker process does."""
    os.set_inheritable(lines_to_parent, False)
    parent = Parent(lines_to_parent)
    module, function, arguments = parent.receive()
    try:
        target: Any = importlib.import_module(module)
        for name in function.split("."):
            target = getattr(target, name)
        parent.send_line(READY, None)
        target(parent, *arguments)
    except Exception as error:
        parent.send_line(ERROR, _report(error))
        sys.exit(1)


def _report(error: Exception) -> dict[str, str]:
    """What the parent needs to raise this error, or one that tells of it."""
    import traceback  # here, because most workers never need it, and every one of them would wait for it

    known = isinstance(error, LabError)
    return {
        "module": type(error).__module__,
        "type": type(error).__qualname__,
        "what": error.what if isinstance(error, LabError) else f"{type(error).__name__}: {error}",
        "cure": error.cure if isinstance(error, LabError) else "",
        "traceback": "" if known else traceback.format_exc(),
    }
