"""A function in a process of its own, made to be killed with `kill -9` in the middle of its work.

    with Worker("labkit.lessons.failure.consumer:consume", config, topic) as worker:
        first = worker.receive(within_s=20)
        worker.kill()

Why not `multiprocessing`: it loads the parent's `__main__` again in every worker, starts one more process that stays
(its resource tracker), and takes twice as long. For a program with a port and a health page see `ServiceProcess`.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from typing import IO, Any, Self

from labkit.base.errors import LabError, NotInTimeError
from labkit.chaos.lines import Lines, WorkerError, place, raised
from labkit.chaos.parent import ERROR, READY, encoded

__all__ = ["Worker", "WorkerError"]

_TAIL_BYTES = 1 << 16
_CURE = "read its last lines, then run it again"
_BOOT = "import sys; sys.path[:] = {path!r}; from labkit.chaos.parent import serve; serve({descriptor})"


class Worker:
    """One function as a process: `function(parent, *arguments)`, where `parent` is a `chaos.parent.Parent`.

    function: "module:function", or a function of a module. arguments: what JSON knows; a tuple arrives as a list.
    Only the function's own module is loaded there. What the process prints is kept for `tail` and for errors.
    The process ends when this program ends, however that ends. In a `with` it is started, and stopped at the end.
    Not for several threads at once. Raises WorkerError for a function that a new process cannot import.
    """

    def __init__(self, function: str | Callable[..., object], *arguments: Any, name: str = "") -> None:
        self._module, self._function = place(function)
        self._arguments = arguments
        self.name = name or self._function
        self._process: subprocess.Popen[bytes] | None = None
        self._lines: Lines | None = None
        self._output: IO[bytes] | None = None
        self._ready = False
        self._error: LabError | None = None
        self._error_met = False
        self._messages: deque[Any] = deque()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *problem: object) -> None:
        self.stop()
        if kind is None and not self._error_met:  # the body's own error wins
            self._raise_error()

    def begin(self) -> None:
        """Start the process, without waiting for it: several can start side by side. Raises WorkerError if it runs."""
        if self.alive():
            raise WorkerError(f"The worker {self.name} runs already (pid {self.pid}).", "kill or stop it first")
        self.stop()
        order = encoded([self._module, self._function, self._arguments])
        self._messages.clear()
        self._ready, self._error, self._error_met = False, None, False
        mine, theirs = os.pipe()
        self._lines, self._output = Lines(mine), tempfile.TemporaryFile()  # noqa: SIM115  closed by `stop`
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-u", "-c", _BOOT.format(path=sys.path, descriptor=theirs)],
                stdin=subprocess.PIPE,
                stdout=self._output,
                stderr=self._output,
                pass_fds=[theirs],
                start_new_session=True,  # a Ctrl-C in the terminal, or "interrupt the kernel", is not for it
            )
        finally:
            os.close(theirs)
        self._write(order)  # not in argv, which every user of the machine can read

    def until_ready(self, within_s: float = 30.0) -> None:
        """Wait until the function's module is loaded. Raises WorkerError when it ends first, NotInTimeError."""
        self._pump(lambda: self._ready, within_s, "was not ready")

    def start(self, within_s: float = 30.0) -> None:
        """Start the process and wait until it is ready. After its end this starts another one."""
        self.begin()
        self.until_ready(within_s)

    def send(self, value: Any) -> None:
        """Send a message, which the function gets with `parent.receive()`.

        Raises MessageError for what is not JSON; when the worker has ended, as `receive` does.
        """
        self._write(encoded(value))

    def receive(self, within_s: float) -> Any:
        """The next message of the function, in the order of sending; also after its end, while there is one.

        Raises NotInTimeError; when the worker has ended, its own error if it is a LabError, else WorkerError.
        """
        self._pump(lambda: self._messages, within_s, "sent no message")
        return self._messages.popleft()

    def wait(self, within_s: float) -> int:
        """Wait until the process has ended. Its exit code: 0 when the function has returned, -9 after a `kill -9`.

        Raises NotInTimeError; what the function raised, as `receive` does.
        """
        process, end_s = self._started(), time.monotonic() + within_s
        while self._take_lines(end_s - time.monotonic()) and time.monotonic() < end_s:
            pass  # read, or it would wait for us
        self._raise_error()
        try:
            return process.wait(max(end_s - time.monotonic(), 0))
        except subprocess.TimeoutExpired as error:
            raise self._late("did not end", within_s) from error

    def kill(self) -> None:
        """`kill -9` for the process and for what it has started. Returns when it has ended.

        Raises WorkerError or the function's own error when it has ended before: then nobody has killed it.
        """
        if not self.alive():
            self._drain()
            raise self._ended("was to be killed")
        self._end()
        self._raise_error()  # it was about to end by itself

    def stop(self) -> None:
        """End the process if it runs, in the same way, and give everything back. May be called twice."""
        if self._process is not None:
            self._end()
            assert self._process.stdin
            try:
                self._process.stdin.close()
            except OSError:
                pass  # something was still to be written
        if self._lines is not None and self._output is not None:
            self._lines.close()
            self._output.close()
        self._lines = self._output = None

    @property
    def pid(self) -> int:
        """The process id, also after the end. Raises WorkerError when it was never started."""
        return self._started().pid

    def alive(self) -> bool:
        """True while the process exists."""
        return self._process is not None and self._process.poll() is None

    def tail(self, lines: int = 8) -> str:
        """The last lines that the process printed; none after `stop`."""
        if self._output is None:
            return ""
        start = max(os.fstat(self._output.fileno()).st_size - _TAIL_BYTES, 0)
        said = os.pread(self._output.fileno(), _TAIL_BYTES, start).decode(errors="replace")
        return "\n".join([line for line in said.splitlines() if line.strip()][-lines:])

    def _started(self) -> "subprocess.Popen[bytes]":
        if self._process is None:
            raise WorkerError(f"The worker {self.name} was never started.", "start it (`start()`, or a `with`)")
        return self._process

    def _end(self) -> None:
        process = self._started()
        if process.returncode is None:  # nobody has asked for its end, so no other process can have its number
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
        self._drain()

    def _drain(self) -> None:
        """Take what is left of what it said: the process has ended, and its end of the pipe closes."""
        end_s = time.monotonic() + 5
        while self._take_lines(1) and time.monotonic() < end_s:
            pass

    def _write(self, line: bytes) -> None:
        process = self._started()
        assert process.stdin
        try:
            process.stdin.write(line)
            process.stdin.flush()
        except (OSError, ValueError) as error:  # ValueError: it was stopped
            self._drain()
            raise self._ended("was sent a message") from error

    def _pump(self, fact: Callable[[], object], within_s: float, missing: str) -> None:
        """Read what the worker says until `fact` is true."""
        self._started()
        end_s = time.monotonic() + within_s
        while not fact():
            more = self._take_lines(end_s - time.monotonic())
            if fact():
                return
            if not more:
                raise self._ended(missing)
            if time.monotonic() >= end_s:
                raise self._late(missing, within_s)

    def _take_lines(self, within_s: float) -> bool:
        """Take what the worker has said. within_s: wait so long for something. False once it can say no more."""
        lines = self._lines.read(within_s) if self._lines is not None else None
        for line in lines or ():
            kind, value = json.loads(line)
            if kind == ERROR:
                self._error = raised(self.name, value)
            elif kind == READY:
                self._ready = True
            else:
                self._messages.append(value)
        return lines is not None

    def _ended(self, missing: str) -> LabError:
        """One that says how it ended. Raises its own error if there is one."""
        self._raise_error()
        code = self._started().wait()  # its end of the pipe is closed: it has ended, or is about to
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return WorkerError(f"The worker {self.name} {missing}: it {how}.{self._last_lines()}", _CURE)

    def _raise_error(self) -> None:
        if self._error is not None:
            self._error_met = True
            raise self._error

    def _late(self, missing: str, within_s: float) -> NotInTimeError:
        what = f"The worker {self.name} {missing} within {within_s:g} s.{self._last_lines()}"
        return NotInTimeError(what, f"{_CURE}; a busy machine may need a second try")

    def _last_lines(self) -> str:
        tail = self.tail()
        return f" Its last lines:\n{tail}" if tail else " It printed nothing."
