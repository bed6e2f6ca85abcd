"""What the workers of the tests do. This file, and what it imports, is all that is loaded in them."""

import os
import signal
import subprocess
import sys
import threading
from typing import Any

from labkit.base.errors import BrokerError
from labkit.chaos.parent import Parent


def echo(parent: Parent, *first: Any) -> None:
    for value in first:
        parent.send(value)
    while True:
        parent.send(parent.receive())


def hold_on(parent: Parent) -> None:
    parent.send(os.getpid())
    parent.receive()


def modules(parent: Parent) -> None:
    parent.send([*sys.modules, *sys.modules["__main__"].__dict__])


def count_to(parent: Parent, n: int, code: int = 0) -> None:
    for i in range(n):
        parent.send(i)
    sys.exit(code)


def fail(parent: Parent, what: str) -> None:
    parent.send("one word before")
    raise ValueError(what)


def fail_with_a_cure(parent: Parent) -> None:
    raise BrokerError("Kafka has gone.", "start it again")


def send_bytes(parent: Parent) -> None:
    parent.send(b"raw")


def die(parent: Parent, words: str) -> None:
    print(words)
    print(words, file=sys.stderr)
    os.kill(os.getpid(), signal.SIGKILL)


def start_another(parent: Parent) -> None:
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], stdout=subprocess.DEVNULL)
    parent.send(other.pid)
    threading.Event().wait()
