"""Keeps one program from outliving its owner. Run as a script: `python -I -S guardian.py '{"argv": ..., "log": ...}'`.

The owner holds the other end of our standard input. When the owner dies, however it dies, that pipe closes, and we stop
the program. When we are killed, the kernel kills the program (Linux). When the program ends, we take along what it
left.

Standard library only, and little of it: one of these stands beside every broker. Talks JSON lines on standard output:
{"pid": n} when the program runs, {"error": text} when it cannot, {"exit": code} when it has ended.
Each line on standard input is a number: how many seconds the program gets between SIGTERM and SIGKILL.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


def report(**what: object) -> None:
    try:
        os.write(1, json.dumps(what).encode() + b"\n")
    except OSError:  # the owner is gone; we still have work to do
        pass


def prctl(option: int, value: int) -> None:
    """Ask the Linux kernel for something; elsewhere do nothing."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def children() -> list[int]:
    """Process ids of our direct children (Linux; elsewhere none are known)."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as file:
            return [int(pid) for pid in file.read().split()]
    except OSError:
        return []


def kill_all(group: int) -> None:
    """SIGKILL the program's process group, then whatever else of it was handed down to us as their reaper."""
    try:
        os.killpg(group, signal.SIGKILL)
    except OSError:
        pass
    for _ in range(200):
        left = children()
        if not left:
            return
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, os.WNOHANG)
            except OSError:
                pass
        time.sleep(0.01)


class Guard:
    """The program, and what is to be done when it ends or is to end."""

    def __init__(self, spec: dict) -> None:  # type: ignore[type-arg]
        self.stop_argv = spec.get("stop")
        self.grace = float(spec.get("grace", 0))
        self.log = os.open(spec["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.once = threading.Lock()
        self.program = subprocess.Popen(
            spec["argv"],
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
            preexec_fn=lambda: prctl(PR_SET_PDEATHSIG, signal.SIGKILL),
        )

    def follow(self) -> None:
        self.program.wait()
        self.finish()

    def finish(self) -> None:
        """The program has ended: clear up after it, and end ourselves. Only the first caller comes through."""
        if not self.once.acquire(blocking=False):
            threading.Event().wait()
        kill_all(self.program.pid)
        if self.stop_argv:
            try:
                subprocess.run(self.stop_argv, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, timeout=120)
            except (OSError, subprocess.TimeoutExpired) as error:
                os.write(self.log, f"guardian: {error}\n".encode())
        report(exit=self.program.returncode)
        os._exit(0)

    def await_owner(self) -> None:
        """Return when the owner closes our standard input, or dies, or we get SIGTERM."""
        signal.signal(signal.SIGTERM, end)
        try:
            for line in sys.stdin:
                self.grace = float(line)
        except (SystemExit, ValueError):
            pass

    def stop(self) -> None:
        if self.grace > 0:
            self.program.terminate()
            try:
                self.program.wait(self.grace)
            except subprocess.TimeoutExpired:
                pass
        self.program.kill()
        self.program.wait()


def end(*_: object) -> None:
    raise SystemExit


def main() -> None:
    for sig in (signal.SIGINT, signal.SIGHUP):
        signal.signal(sig, signal.SIG_IGN)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    try:
        guard = Guard(json.loads(sys.argv[1]))
    except OSError as error:
        report(error=str(error))
        sys.exit(1)
    report(pid=guard.program.pid)
    threading.Thread(target=guard.follow, daemon=True).start()
    guard.await_owner()
    guard.stop()
    guard.finish()


if __name__ == "__main__":
    main()
