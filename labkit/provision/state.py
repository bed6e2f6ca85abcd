"""How to reach a lab's supervisor: one small file in the lab's folder, which only its owner can read."""

import json
import os
import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from labkit.base.errors import StorageError
from labkit.provision.model import write_private


@dataclass(frozen=True)
class State:
    """The supervisor's process id, its control port on 127.0.0.1, the word it answers to, and the lab's id."""

    id: str
    pid: int
    port: int
    token: str


def file(home: Path) -> Path:
    return home / "lab.json"


def read(home: Path) -> State | None:
    """What the file says, or None when there is none that can be used (a half-written or strange one counts as
    none)."""
    try:
        return State(**json.loads(file(home).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def write(home: Path, state: State) -> None:
    write_private(file(home), asdict(state))


def remove(home: Path, lab_id: str) -> None:
    """Remove the file if it still speaks of this lab: a new one may have written its own."""
    found = read(home)
    if found and found.id == lab_id:
        file(home).unlink(missing_ok=True)


def make_home(home: Path) -> None:
    """Make the lab's folder, for its owner only. Raises StorageError."""
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = home / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise StorageError(
            f"The lab cannot write its folder {home}: {error.strerror}.",
            "set LABKIT_HOME to a folder of yours, on a disk with about 1 GB free",
        ) from error


class Line:
    """A connection to a supervisor that has proved to be the one the state file speaks of. Talks JSON lines."""

    def __init__(self, state: State, timeout_s: float = 5.0) -> None:
        self.socket = socket.create_connection(("127.0.0.1", state.port), timeout=timeout_s)
        self._reader = self.socket.makefile("rb")
        self.send(token=state.token)
        # The port may belong to another program by now: only ours knows the lab's id.
        if self.receive() != {"lab": state.id}:
            self.close()
            raise ConnectionError("another program answers there")

    def send(self, **message: Any) -> None:
        self.socket.sendall(json.dumps(message).encode() + b"\n")

    def receive(self, timeout_s: float | None = 5.0) -> dict[str, Any]:
        """The next message; an empty one when the supervisor is gone."""
        self.socket.settimeout(timeout_s)
        try:
            answer = json.loads(self._reader.readline() or b"{}")
        except ValueError:
            return {}
        return answer if isinstance(answer, dict) else {}

    def close(self) -> None:
        self._reader.close()
        self.socket.close()


def connect(home: Path) -> Line | None:
    """A line to the supervisor of this lab, or None when none runs."""
    state = read(home)
    if state is None:
        return None
    try:
        return Line(state)
    except OSError:  # includes a refused connection and a time-out
        return None
