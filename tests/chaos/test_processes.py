"""Service processes in every kind of trouble. The service here is a tiny web server."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from labkit.base import ports, settings, wait
from labkit.chaos.processes import PORT_TAKEN, PortTakenError, ServiceError, ServiceProcess, frozen

SERVER = """
import http.server, sys
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
print("it serves", flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Page).serve_forever()
"""


def service(tmp_path: Path, code: str = SERVER) -> ServiceProcess:
    port = ports.free(1)[0]
    return ServiceProcess("toy", ["-c", code, str(port)], port, tmp_path / "toy.log")


@pytest.fixture
def toy(tmp_path: Path) -> Iterator[ServiceProcess]:
    process = service(tmp_path)
    process.start()
    yield process
    process.stop()


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def stopped(pid: int) -> bool:
    return psutil.Process(pid).status() == psutil.STATUS_STOPPED


def answers(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
        line.settimeout(0.3)
        line.sendall(b"GET /health HTTP/1.0\r\n\r\n")
        try:
            return line.recv(12) == b"HTTP/1.0 200"
        except TimeoutError:
            return False


def test_a_started_service_answers(toy: ServiceProcess) -> None:
    assert toy.alive()
    assert answers(toy.port)


def test_a_killed_service_refuses_every_connection_and_comes_back_on_the_same_port(toy: ServiceProcess) -> None:
    first = toy.pid
    toy.kill()
    assert not toy.alive()
    assert gone(first)
    with pytest.raises(ConnectionRefusedError):
        answers(toy.port)
    toy.start()
    assert toy.pid != first
    assert answers(toy.port)
    assert toy.tail().count("it serves") == 2  # the log of both lives


def test_a_frozen_service_takes_the_call_and_says_nothing_until_it_is_thawed(toy: ServiceProcess) -> None:
    toy.freeze()
    wait.until(lambda: stopped(toy.pid), 10, "it stands still")
    assert not answers(toy.port)
    toy.thaw()
    assert answers(toy.port)


def test_a_frozen_service_is_ended_like_any_other(toy: ServiceProcess) -> None:
    pid = toy.pid
    toy.freeze()
    toy.stop()
    assert gone(pid)
    toy.stop()  # a second time does no harm


def test_a_service_that_runs_is_not_started_twice(toy: ServiceProcess) -> None:
    with pytest.raises(ServiceError, match="runs already"):
        toy.start()


def test_a_service_that_ends_at_its_start_is_an_error_with_its_last_log_lines(tmp_path: Path) -> None:
    toy = service(tmp_path, "print('no table called orders', flush=True); raise SystemExit(3)")
    with pytest.raises(ServiceError, match=r"exit code 3(.|\n)*no table called orders"):
        toy.start()
    assert not toy.alive()


def test_a_service_that_is_never_ready_is_an_error_with_its_last_log_lines(tmp_path: Path) -> None:
    toy = service(tmp_path, "import time; print('thinking', flush=True); time.sleep(60)")
    try:
        toy.begin()
        wait.until(lambda: "thinking" in toy.tail(), 10, "it has begun to think")
        with pytest.raises(ServiceError, match=r"not ready(.|\n)*thinking"):
            toy.until_ready(0.1)
    finally:
        toy.stop()


def test_a_service_that_finds_its_port_taken_is_told_apart(tmp_path: Path) -> None:
    toy = service(tmp_path, f"raise SystemExit({PORT_TAKEN})")
    with pytest.raises(PortTakenError, match=str(toy.port)):
        toy.start()


def test_to_freeze_a_service_that_does_not_run_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="does not run"):
        service(tmp_path).freeze()


def test_services_end_with_the_program_that_started_them_even_if_they_are_frozen(tmp_path: Path) -> None:
    code = f"""
import sys, time
from pathlib import Path
from labkit.chaos.processes import ServiceProcess
toy = ServiceProcess("toy", ["-c", {SERVER!r}, "{ports.free(1)[0]}"], 0, Path({str(tmp_path)!r}) / "toy.log")
toy.begin(); toy.freeze()
print(toy.pid, flush=True)
time.sleep(60)
"""
    owner = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=settings.course_root()
    )
    assert owner.stdout
    pid = int(owner.stdout.readline())
    owner.kill()
    owner.wait()
    owner.stdout.close()
    wait.until(lambda: gone(pid), 10, "the service has ended")


def test_frozen_processes_go_on_after_the_with_also_after_an_error(toy: ServiceProcess) -> None:
    with pytest.raises(RuntimeError), frozen([toy.pid]):
        wait.until(lambda: stopped(toy.pid), 10, "it stands still")
        raise RuntimeError
    assert answers(toy.port)


def test_frozen_processes_go_on_when_the_program_that_froze_them_is_killed(toy: ServiceProcess) -> None:
    code = f"""
import time
from labkit.chaos.processes import frozen
with frozen([{toy.pid}]):
    print("frozen", flush=True)
    time.sleep(60)
"""
    owner = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=settings.course_root()
    )
    assert owner.stdout
    owner.stdout.readline()
    wait.until(lambda: stopped(toy.pid), 10, "it stands still")
    os.kill(owner.pid, signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    wait.until(lambda: answers(toy.port), 10, "it answers again")


def test_to_freeze_processes_that_are_gone_is_an_error(toy: ServiceProcess) -> None:
    pid = toy.pid
    toy.kill()
    with pytest.raises(ServiceError, match=str(pid)), frozen([pid]):
        pass
