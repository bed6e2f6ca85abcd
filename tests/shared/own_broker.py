"""A broker of a test's own, because it is killed. For the length of a `with` the lab is this broker alone."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pika
import psutil
import pytest

from labkit import lab
from labkit.base import settings
from labkit.provision import native_kafka, native_rabbitmq
from labkit.provision.model import Place, Started

_STARTS: dict[str, Callable[..., Started]] = {"kafka": native_kafka.start, "rabbitmq": native_rabbitmq.start}


@contextmanager
def alone(broker: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Yields a `progress` for a run: it kills the broker with -9 once something is done."""
    found = settings.read({"LABKIT_HOME": str(folder), "LABKIT_CACHE": str(settings.read().cache)})
    own = _STARTS[broker](Place(found, folder / "run"), print)
    monkeypatch.setattr(lab, "running", lambda: [own.running])
    monkeypatch.setattr(lab, "kafka_config", lambda: dict(own.running.client))
    monkeypatch.setattr(lab, "rabbitmq_parameters", lambda: pika.URLParameters(own.running.client["url"]))

    def kill(done: float | None, _: str) -> None:
        if done and own.alive():
            for process in own.processes:
                with suppress(psutil.NoSuchProcess):  # some end by themselves when another one is gone
                    psutil.Process(process.pid).kill()

    try:
        yield kill
    finally:
        own.stop()


def left_behind() -> list[str]:
    """What this process has left of its own brokers: folders, and processes. Other tests may run beside it."""
    mine = f"broker-{os.getpid()}-"
    folders = [str(path) for path in (settings.read().home / "work").glob(f"{mine}*")]
    return folders + [" ".join(argv) for argv in map(_argv, psutil.process_iter()) if any(mine in one for one in argv)]


def _argv(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:  # it has ended, or is another user's
        return []
