"""Use a lab: join the one that runs or start it, hold it while it is used, ask it, stop it."""

import json
import os
import secrets
import select
import subprocess
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from labkit.base import errors, lock, patience, settings, wait
from labkit.provision import state
from labkit.provision.model import Running, Say, Wanted

SUPERVISOR_WITHIN_S = 30.0
REVIVED_WITHIN_S = 120.0
STOPPED_WITHIN_S = 60.0


class Hold:
    """The lab is ready, and stays so while this is open. Closed by `close`, or by the end of the process, however it
    ends."""

    def __init__(self, line: state.Line, brokers: list[Running]) -> None:
        self._line = line
        self.brokers = brokers

    def alive(self) -> bool:
        """False when the supervisor has gone, and the brokers with it."""
        sock = self._line.socket
        readable, _, _ = select.select([sock], [], [], 0)
        return not readable  # it never speaks after "ready": what can be read is the end

    def close(self) -> None:
        self._line.close()


def start(wanted: Wanted | None, say: Say, who: str, found: settings.Settings | None = None) -> Hold:
    """Join the lab of `found.home`, or start it, and wait until both brokers serve.

    wanted: None takes the lab as it is. who: shown to others as the one who holds it. Raises the LabError that the
    start ended with, SettingError when a lab with other brokers runs already, StorageError when its folder cannot be
    written.
    """
    found = found or settings.read()
    state.make_home(found.home)
    while True:
        before = state.read(found.home)
        try:
            return _join(wanted, say, who, found)
        except errors.StoppingError:
            say("a lab that nobody used is stopping here: waiting for its end, to start another")
            if before is not None:
                _await_end(before.pid)


def _join(wanted: Wanted | None, say: Say, who: str, found: settings.Settings) -> Hold:
    with lock.held(found.home / "lock", within_s=60):
        line = state.connect(found.home) or _spawn(found, wanted or Wanted())
    try:
        if wanted is not None:
            _check_same(line, wanted)
        line.send(op="hold", who=who)
        return Hold(line, _until_ready(line, say, found))
    except BaseException:
        line.close()
        raise


def _spawn(found: settings.Settings, wanted: Wanted) -> state.Line:
    lab_id = secrets.token_hex(4)
    logs = found.home / "log"
    logs.mkdir(exist_ok=True)
    env = os.environ | {
        "LABKIT_HOME": str(found.home),
        "LABKIT_CACHE": str(found.cache),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(settings.course_root()), os.environ.get("PYTHONPATH")])),
        "PYTHONDONTWRITEBYTECODE": "1" if not os.access(settings.course_root(), os.W_OK) else "",
    }
    with (logs / "supervisor.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "labkit.provision.supervisor", lab_id, json.dumps(asdict(wanted))],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=found.home,
            env=env,
            start_new_session=True,  # it outlives us, and a Ctrl-C in our terminal is not for it
        )
    # Reaps it when it ends before us, so that it does not stay in the process list.
    threading.Thread(target=process.wait, name="reap supervisor", daemon=True).start()

    def up() -> state.Line | None:
        if process.poll() is not None:
            raise errors.BrokerError(f"The lab's supervisor died at once:\n{_tail(found)}", "see the lines above")
        told = state.read(found.home)
        return state.connect(found.home) if told and told.id == lab_id else None

    line = wait.until(up, SUPERVISOR_WITHIN_S, "the lab's supervisor answers")
    assert line
    return line


def _check_same(line: state.Line, wanted: Wanted) -> None:
    line.send(op="status")
    running = Wanted(**line.receive()["wanted"])
    if running != wanted:
        raise errors.SettingError(
            f"A lab runs here already, with {_words(running)}; {_words(wanted)} was asked for.",
            "`python -m labkit down` first, or set LABKIT_HOME to another folder for a second lab",
        )


def _words(wanted: Wanted) -> str:
    kafka = "the embedded stand-in for Kafka" if wanted.embedded else f"{wanted.kafka_brokers} Kafka broker(s)"
    return f"{kafka} and {wanted.rabbitmq_nodes} RabbitMQ node(s)"


def _until_ready(line: state.Line, say: Say, found: settings.Settings) -> list[Running]:
    while True:
        message = line.receive(timeout_s=None)
        if "say" in message:
            say(message["say"])
        elif "ready" in message:
            return [Running.from_json(broker) for broker in message["ready"]]
        else:
            _raise_failed(message)
            raise errors.BrokerError(
                f"The lab's supervisor ended while the lab started.\n{_tail(found)}", "start it again"
            )


def _tail(found: settings.Settings) -> str:
    try:
        return "\n".join((found.home / "log" / "supervisor.log").read_text().splitlines()[-12:])
    except OSError:
        return ""


def ask(op: str, home: Path | None = None) -> dict[str, Any] | None:
    """Ask the supervisor one thing ("status", "pin") and return its answer; None when no lab runs."""
    line = state.connect(home or settings.read().home)
    if line is None:
        return None
    try:
        line.send(op=op)
        return line.receive() or None
    except OSError:
        return None
    finally:
        line.close()


def revive(home: Path | None = None) -> None:
    """Start again, on its data and ports, a broker of the lab that has died. Raises what its start raises."""
    line = state.connect(home or settings.read().home)
    if line is None:
        return
    try:
        line.send(op="revive")
        _raise_failed(line.receive(patience.seconds(REVIVED_WITHIN_S)))
    finally:
        line.close()


def _raise_failed(message: dict[str, Any]) -> None:
    if "failed" in message:
        failed = message["failed"]
        kind = getattr(errors, failed["kind"], errors.BrokerError)
        raise kind(failed["what"], failed["cure"])


def stop(home: Path | None = None) -> bool:
    """Stop the lab, whoever holds it, and wait until its last process is gone. False when none ran."""
    home = home or settings.read().home
    told = state.read(home)
    line = state.connect(home)
    if line is None or told is None:
        return False
    try:
        line.send(op="stop")
        while line.receive(timeout_s=60):  # until it closes: then it has ended
            pass
    except OSError:
        pass
    finally:
        line.close()
    _await_end(told.pid)
    return True


def _await_end(pid: int) -> None:
    import psutil

    def gone() -> bool:
        try:
            return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE  # its parent has yet to look, no more than that
        except psutil.NoSuchProcess:
            return True

    wait.until(gone, within_s=STOPPED_WITHIN_S, what=f"the supervisor (pid {pid}) has ended")


def since_words(since: float) -> str:
    """`14:03:27`, in local time; a time that lies ahead (the clock was set back) is said as now."""
    return time.strftime("%H:%M:%S", time.localtime(min(since, time.time())))
