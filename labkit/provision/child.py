"""A program that cannot outlive this process: started, watched and stopped through a guardian (`guardian.py`)."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from labkit.base.errors import BrokerError, NotInTimeError

_GUARDIAN = Path(__file__).with_name("guardian.py")


class Child:
    """One running program with a log file.

    argv: the program. log: its output goes there (the file is begun anew). env: its whole environment.
    stop_argv: a command that runs after the program has ended, even when this process has died.
    grace_s: seconds between SIGTERM and SIGKILL when it is stopped; 0 kills at once.
    Raises BrokerError when the program cannot be started.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stop_argv: Sequence[str] | None = None,
        grace_s: float = 0,
        keep_log: bool = False,
    ) -> None:
        self.name = name
        self.log = log
        self.exit_code: int | None = None
        self._grace_s = grace_s
        log.parent.mkdir(parents=True, exist_ok=True)
        if not keep_log:
            log.unlink(missing_ok=True)
        log.touch(mode=0o600)
        spec = {"argv": list(argv), "log": str(log), "stop": list(stop_argv or ()), "grace": grace_s}
        self._guardian = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_GUARDIAN), json.dumps(spec)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=dict(os.environ if env is None else env),
            cwd=cwd,
            start_new_session=True,  # a Ctrl-C in the terminal is not for it
            text=True,
        )
        assert self._guardian.stdout
        first = json.loads(self._guardian.stdout.readline() or '{"error": "its guardian died"}')
        if "error" in first:
            self._guardian.wait()
            raise BrokerError(f"{name} could not be started: {first['error']}.", f"check that {argv[0]} can be run")
        self.pid: int = first["pid"]
        self._ended = threading.Event()
        threading.Thread(target=self._watch, name=f"watch {name}", daemon=True).start()

    def _watch(self) -> None:
        assert self._guardian.stdout
        for line in self._guardian.stdout:
            self.exit_code = json.loads(line).get("exit")
        self._guardian.wait()
        if self.exit_code is None:  # the guardian was killed; where the kernel does not, we end its program
            try:
                os.killpg(self.pid, 9)
            except OSError:
                pass
        self._ended.set()

    def alive(self) -> bool:
        return not self._ended.is_set()

    def wait(self, timeout_s: float | None = None) -> int | None:
        """Wait for the program to end; its exit code, or None while it still runs."""
        self._ended.wait(timeout_s)
        return self.exit_code

    def stop(self, grace_s: float | None = None) -> None:
        """End the program and wait for it. grace_s: seconds after SIGTERM before SIGKILL (default: the child's own)."""
        self.begin_stop(grace_s)
        if not self._ended.wait((self._grace_s if grace_s is None else grace_s) + 150):
            raise NotInTimeError(f"{self.name} (pid {self.pid}) did not end.", f"end it by hand: kill -9 {self.pid}")

    def begin_stop(self, grace_s: float | None = None) -> None:
        """Ask the program to end, without waiting."""
        assert self._guardian.stdin
        try:
            if grace_s is not None:
                self._guardian.stdin.write(f"{grace_s}\n")
            self._guardian.stdin.close()
        except (OSError, ValueError):  # it has ended already, or was asked before
            pass

    def tail(self, lines: int = 12) -> str:
        """The last lines of the log, without Java's stack frames: the reason stands above them."""
        try:
            text = self.log.read_text(errors="replace")
            return "\n".join([line for line in text.splitlines() if not line.startswith("\tat ")][-lines:])
        except OSError:
            return ""
