"""A lab of a test's own: its folder, its processes, its ports. It uses the downloads that are there, and is gone
afterwards."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

from labkit.base import ports, settings


class OwnLab:
    """Runs `python -m labkit` on a lab in `home`, and sees what of it is left in the system."""

    def __init__(self, home: Path, **env: str) -> None:
        self.home = home
        self.env = os.environ | {
            "LABKIT_HOME": str(home),
            "LABKIT_CACHE": str(settings.read().cache),
            "LABKIT_FROM": "native",
            "LABKIT_GRACE_S": "60",
            **env,
        }

    def labkit(self, *arguments: str, timeout: float = 180) -> subprocess.CompletedProcess[str]:
        """Run one command to its end."""
        argv = [sys.executable, "-m", "labkit", *arguments]
        return subprocess.run(
            argv, env=self.env, capture_output=True, text=True, timeout=timeout, cwd=settings.course_root()
        )

    def python(self, code: str) -> subprocess.Popen[str]:
        """Start a program that uses the lab, as a notebook's kernel does."""
        return subprocess.Popen(
            [sys.executable, "-c", code],
            env=self.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=settings.course_root(),
        )

    def status(self) -> dict:
        return json.loads(self.labkit("status", "--json").stdout)

    def processes(self) -> list[psutil.Process]:
        """Every process whose command line or environment names this lab's folder, whoever its parent is; not
        ourselves."""
        found = []
        for process in psutil.process_iter():
            try:
                words = [*process.cmdline(), *process.environ().values()]
                if process.pid != os.getpid() and any(str(self.home) in word for word in words):
                    found.append(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
                continue
        return found

    def listening(self) -> list[tuple[str, int]]:
        """(address, port) of everything these processes listen on."""
        found = []
        for process in self.processes():
            try:
                connections = process.net_connections(kind="inet")
            except psutil.Error:
                continue
            found += [
                (c.laddr.ip.removeprefix("::ffff:"), c.laddr.port)
                for c in connections
                if c.status == psutil.CONN_LISTEN
            ]
        return found

    def assert_nothing_left(self, was_listening: list[tuple[str, int]], within_s: float = 15) -> None:
        """No process and no port of the lab is left, or will be within the time."""
        assert was_listening, "the lab listened on nothing: there is nothing to check"
        end = time.monotonic() + within_s
        while self.processes() and time.monotonic() < end:
            time.sleep(0.05)
        assert [process.cmdline()[:3] for process in self.processes()] == []
        assert [port for _, port in was_listening if not ports.is_free(port)] == []
