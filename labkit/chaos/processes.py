"""A service as a process of its own: started, frozen, killed, started again, and never left behind.

`kill -9` and a freeze are what real outages look like. A killed process refuses every call at once; a frozen one takes
the call, and says nothing.
"""

import http.client
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from labkit.base import errors, wait
from labkit.base.settings import course_root
from labkit.provision.child import Child

PORT_TAKEN = 48  # exit code of a service that finds its port in use (the number of EADDRINUSE on BSD and macOS)


class ServiceError(errors.LabError):
    """A service process does not start, or is not there when it is needed. Its last log lines are in the text."""

    exit_code = 8


class PortTakenError(ServiceError):
    """Another program listens where a service was to listen."""


class ServiceProcess:
    """One service: a program with a health page, `http://127.0.0.1:<port>/health`.

    argv: the program, without the Python in front. log: its output; kept over restarts. env: its whole environment.
    The process ends when this program ends, however that ends (`provision.child`).
    """

    def __init__(
        self, name: str, argv: Sequence[str], port: int, log: Path, env: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.port = port
        self.log = log
        self.frozen = False
        self._argv = [sys.executable, *argv]
        self._env = env
        self._child: Child | None = None

    def begin(self) -> None:
        """Start the process, without waiting for it. Raises ServiceError when it runs already."""
        if self.alive():
            raise ServiceError(f"{self.name} runs already (pid {self.pid}).", "kill or stop it first")
        again = self._child is not None
        self._child = Child(self.name, self._argv, self.log, env=self._env, cwd=course_root(), keep_log=again)
        self.frozen = False

    def until_ready(self, within_s: float = 15.0) -> None:
        """Wait until the health page says 200. Raises ServiceError with the last log lines when it does not."""
        try:
            wait.until(self._ready_or_ended, within_s, f"{self.name} is ready", every_s=0.01)
        except errors.NotInTimeError as error:
            raise ServiceError(
                f"{self.name} was not ready within {within_s:g} s.{self._last_words()}", _CURE
            ) from error

    def start(self, within_s: float = 15.0) -> None:
        """Start the process and wait until it is ready. After `kill`, this is the restart: same port, same log."""
        self.begin()
        self.until_ready(within_s)

    @property
    def pid(self) -> int:
        """The process id. Raises ServiceError when the process does not run."""
        if self._child is None or not self._child.alive():
            raise ServiceError(f"{self.name} does not run.{self._last_words()}", "start it (`start()`)")
        return self._child.pid

    def alive(self) -> bool:
        """True while the process exists, frozen or not."""
        return self._child is not None and self._child.alive()

    def freeze(self) -> None:
        """Stop the process in its tracks (SIGSTOP): its port stays open, and nothing answers."""
        os.kill(self.pid, _signal("SIGSTOP"))
        self.frozen = True

    def thaw(self) -> None:
        """Let a frozen process go on (SIGCONT), as if no time had passed for it."""
        os.kill(self.pid, _signal("SIGCONT"))
        self.frozen = False

    def kill(self) -> None:
        """`kill -9`: the process ends at once, in the middle of whatever it does. Returns when it has ended."""
        os.kill(self.pid, _signal("SIGKILL"))
        assert self._child
        self._child.wait(10)
        self.frozen = False

    def stop(self) -> None:
        """End the process if it runs, frozen or not, and wait for the end. May be called twice."""
        if self._child is not None:
            self._child.stop()
        self.frozen = False

    def tail(self, lines: int = 8) -> str:
        """The last lines of the log."""
        return self._child.tail(lines) if self._child else ""

    def _ready_or_ended(self) -> bool:
        assert self._child
        if self._child.alive():
            return _healthy(self.port)
        if self._child.exit_code == PORT_TAKEN:
            raise PortTakenError(
                f"{self.name} cannot listen on port {self.port}: another program does.",
                "run the cell again, which takes another port; or end that program",
            )
        code = self._child.exit_code
        raise ServiceError(f"{self.name} ended at its start (exit code {code}).{self._last_words()}", _CURE)

    def _last_words(self) -> str:
        tail = self.tail()
        return f" Its last log lines:\n{tail}" if tail else " It wrote nothing to its log."


@contextmanager
def frozen(pids: Sequence[int]) -> Iterator[None]:
    """These processes stand still for the length of a `with`: brokers, for example. They go on after it, also when
    this program is killed in the middle of it.

    Raises ServiceError when one of them does not exist.
    """
    for name in ("SIGSTOP", "SIGCONT"):
        _signal(name)
    # A shell that waits for our end of the pipe to close, however that comes about, and then thaws them.
    thaw = ["sh", "-c", 'read _; kill -CONT "$@"', "thaw", *map(str, pids)]
    watch = subprocess.Popen(
        thaw, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    assert watch.stdin
    try:
        for pid in pids:
            os.kill(pid, _signal("SIGSTOP"))
        yield
    except ProcessLookupError as error:
        raise ServiceError(f"A process of {list(pids)} does not exist any more.", "start the lab again") from error
    finally:
        watch.stdin.close()
        watch.wait(5)


_CURE = "read its log lines above; a busy machine may need a second try"


def _signal(name: str) -> signal.Signals:
    found = getattr(signal, name, None)
    if found is None:
        raise ServiceError(f"This system has no {name}: processes cannot be frozen here.", "use Linux, macOS or WSL")
    return signal.Signals(found)


def _healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
