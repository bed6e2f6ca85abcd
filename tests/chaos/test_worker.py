"""A function in a process of its own: what it is told, what comes back, and how it ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import worker_functions as functions
from jupyter_client.manager import start_new_kernel

from labkit.base import settings, wait
from labkit.base.errors import BrokerError, LabError, NotInTimeError
from labkit.chaos.parent import MessageError
from labkit.chaos.worker import Worker, WorkerError

HERE = Path(__file__).parent
OWNER = f"""
import sys, time
sys.path[:0] = [{str(HERE)!r}, {str(settings.course_root())!r}]
from labkit.chaos.worker import Worker
worker = Worker("worker_functions:hold_on")
worker.start()
pid = worker.receive(20)
"""


@pytest.fixture
def echo() -> Iterator[Worker]:
    with Worker(functions.echo) as worker:
        yield worker


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def test_messages_go_both_ways_in_their_order() -> None:
    long = "x" * 300_000  # more than a pipe holds
    with Worker("worker_functions:echo", {"a": [1, 2.5, None]}, (1, 2), long) as worker:
        assert [worker.receive(20) for _ in range(3)] == [{"a": [1, 2.5, None]}, [1, 2], long]
        worker.send("\n“ä”")
        worker.send(long)
        assert worker.receive(20) == "\n“ä”"
        assert worker.receive(20) == long
    assert worker.pid != os.getpid()


def test_a_killed_worker_is_gone_when_kill_returns(echo: Worker) -> None:
    pid = echo.pid
    assert not gone(pid)
    echo.kill()
    assert not psutil.pid_exists(pid)
    assert not echo.alive()
    assert echo.wait(5) == -signal.SIGKILL
    assert echo.pid == pid


def test_what_a_worker_has_said_before_it_was_killed_can_still_be_received() -> None:
    with Worker(functions.hold_on) as worker:
        wait.until(lambda: said(worker), 20, "it has said something")
        worker.kill()
        assert worker.receive(5) == worker.pid
        with pytest.raises(WorkerError, match="sent no message: it was killed by SIGKILL"):
            worker.receive(5)


def said(worker: Worker) -> bool:
    worker._take_lines(0.01)
    return bool(worker._messages)


def test_a_worker_that_has_ended_by_itself_was_not_killed() -> None:
    with Worker(functions.count_to, 0) as worker:
        assert worker.wait(20) == 0
        with pytest.raises(WorkerError, match="was to be killed: it ended with exit code 0"):
            worker.kill()


def test_a_killed_worker_can_be_started_again(echo: Worker) -> None:
    first = echo.pid
    echo.kill()
    echo.start()
    assert echo.pid != first
    echo.send("here")
    assert echo.receive(20) == "here"


def test_a_worker_that_is_started_again_has_forgotten_its_first_life() -> None:
    with Worker(functions.count_to, 3) as worker:
        assert worker.wait(20) == 0
        worker.start()
        assert [worker.receive(20) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(WorkerError, match="ended with exit code 0"):
            worker.receive(20)


def test_a_worker_that_runs_is_not_started_twice(echo: Worker) -> None:
    with pytest.raises(WorkerError, match="runs already") as error:
        echo.start()
    assert error.value.cure


def test_wait_gives_the_exit_code_and_keeps_the_messages() -> None:
    with Worker(functions.count_to, 20_000, 3) as worker:  # more than a pipe holds
        assert worker.wait(30) == 3
        assert [worker.receive(5) for _ in range(20_000)] == list(range(20_000))


def test_an_error_of_the_function_comes_back_with_its_message_and_its_traceback() -> None:
    with Worker(functions.fail, "no such order") as worker:
        assert worker.receive(20) == "one word before"
        with pytest.raises(WorkerError, match="fail failed: ValueError: no such order") as error:
            worker.receive(20)
    assert "worker_functions.py" in "".join(error.value.__notes__)


def test_a_lab_error_of_the_function_comes_back_as_what_it_is_with_its_cure() -> None:
    with Worker(functions.fail_with_a_cure) as worker, pytest.raises(BrokerError) as error:
        worker.wait(20)
    assert (error.value.what, error.value.cure) == ("Kafka has gone.", "start it again")


def test_an_error_that_nobody_has_met_is_raised_at_the_end_of_the_with() -> None:
    with pytest.raises(WorkerError, match="no such order"), Worker(functions.fail, "no such order") as worker:
        wait.until(lambda: not worker.alive(), 20, "it has failed")


def test_the_error_of_the_body_wins_over_the_workers() -> None:
    with pytest.raises(KeyError), Worker(functions.fail, "no such order") as worker:
        wait.until(lambda: not worker.alive(), 20, "it has failed")
        raise KeyError


def test_a_worker_that_dies_is_an_error_with_what_it_printed_last() -> None:
    with Worker(functions.die, "the disk is full") as worker:
        with pytest.raises(WorkerError, match=r"killed by SIGKILL(.|\n)*the disk is full") as error:
            worker.receive(20)
        assert error.value.cure
        with pytest.raises(WorkerError, match="was sent a message"):
            worker.send("hello")


def test_what_a_worker_prints_is_kept_and_does_not_come_among_ours(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    with Worker(functions.die, "the disk is full") as worker:
        worker.wait(20)
        assert worker.tail().splitlines() == ["the disk is full"] * 2  # on standard output, and standard error
    assert capfd.readouterr() == ("", "")


def test_a_worker_that_says_nothing_is_not_waited_for_longer_than_asked(echo: Worker) -> None:
    with pytest.raises(NotInTimeError, match=r"echo sent no message within 0\.05 s"):
        echo.receive(0.05)
    with pytest.raises(NotInTimeError, match=r"echo did not end within 0\.05 s"):
        echo.wait(0.05)


def test_a_worker_that_is_not_ready_in_time_is_an_error_and_can_be_stopped() -> None:
    worker = Worker("slow_module:anything")
    try:
        with pytest.raises(NotInTimeError, match=r"was not ready within 0\.05 s"):
            worker.start(0.05)
        assert worker.alive()
    finally:
        worker.stop()
    assert not worker.alive()
    worker.stop()  # a second time does no harm


@pytest.mark.parametrize("function", ["no_such_module:f", "worker_functions:no_such_function"])
def test_a_function_that_is_not_there_is_an_error_at_the_start(function: str) -> None:
    with pytest.raises(WorkerError, match="no_such") as error, Worker(function):
        pass
    assert error.value.cure


def test_an_interrupt_while_a_worker_starts_leaves_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(worker: Worker, within_s: float) -> None:
        raise KeyboardInterrupt

    worker = Worker(functions.echo)
    monkeypatch.setattr(Worker, "until_ready", interrupted)
    with pytest.raises(KeyboardInterrupt), worker:
        pass
    assert gone(worker.pid)


def of_a_notebook() -> None: ...


of_a_notebook.__module__ = "__main__"


@pytest.mark.parametrize("function", ["json", "json:", "a b:c", lambda parent: None, of_a_notebook, print])
def test_a_function_that_no_other_process_can_import_is_refused(function: object) -> None:
    with pytest.raises(WorkerError) as error:
        Worker(function)  # type: ignore[arg-type]
    assert "module:function" in error.value.cure


def test_what_is_not_json_is_refused_on_both_sides(echo: Worker) -> None:
    with pytest.raises(MessageError, match="bytes"):
        echo.send(b"raw")
    with pytest.raises(MessageError, match="bytes") as error, Worker(functions.send_bytes) as worker:
        worker.receive(20)
    assert error.value.cure


def test_only_the_functions_own_module_is_loaded_in_a_worker() -> None:
    with Worker(functions.modules) as worker:
        loaded = set(worker.receive(20))
    assert "worker_functions" in loaded
    ours = {name for name in loaded if name.startswith("labkit")}
    assert ours == {"labkit", "labkit.base", "labkit.base.errors", "labkit.chaos", "labkit.chaos.parent"}
    here = {"pytest", "psutil", "jupyter_client", __name__}
    assert here <= sys.modules.keys()
    assert not loaded & (here | {"pandas", "numpy", "matplotlib", "IPython"})


def test_a_script_that_starts_a_worker_is_not_run_again_in_it(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(f"print('script', __name__, flush=True)\n{OWNER}\nprint(worker.tail(), end='')")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("script __main__\n", "")


def test_a_killed_kernel_leaves_no_worker() -> None:
    manager, client = start_new_kernel()
    try:
        told: list[str] = []
        answer = client.execute_interactive(
            f"{OWNER}\nprint(pid)", timeout=60, output_hook=lambda m: told.append(m["content"].get("text", ""))
        )
        assert answer["content"]["status"] == "ok", answer["content"]
        pid = int("".join(told))
        assert not gone(pid)
        os.kill(manager.provisioner.pid, signal.SIGKILL)
        wait.until(lambda: gone(pid), 20, "the worker has ended")
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()
        client.context.destroy()


def test_a_parent_that_is_killed_before_its_worker_is_ready_leaves_none_either() -> None:
    script = OWNER.replace("worker.start()", "worker.begin()").replace("worker.receive(20)", "worker.pid")
    owner = subprocess.Popen(
        [sys.executable, "-c", f"{script}\nprint(pid, flush=True); time.sleep(600)"], stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout
    pid = int(owner.stdout.readline())
    owner.kill()
    owner.wait()
    owner.stdout.close()
    wait.until(lambda: gone(pid), 20, "the worker has ended")


def test_what_a_worker_has_started_ends_with_it() -> None:
    with Worker(functions.start_another) as worker:
        pid = worker.receive(20)
        assert not gone(pid)
    wait.until(lambda: gone(pid), 10, "the other process has ended")


def test_an_error_in_the_body_leaves_no_process_and_no_open_file() -> None:
    files = open_files()
    with pytest.raises(LabError), Worker(functions.echo) as worker:
        raise BrokerError("Kafka has gone.", "start it again")
    assert not psutil.pid_exists(worker.pid)
    assert open_files() == files
