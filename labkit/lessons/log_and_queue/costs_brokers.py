"""Throw-away brokers of a run's own, and what can be seen of them from outside: time, memory, disk."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from labkit.base import settings
from labkit.harness.own_broker import own_broker
from labkit.provision import native_kafka, native_rabbitmq
from labkit.provision.model import Place, Say, Started

# Each of these lines must be there: `test_costs.py` leaves one out at a time, and Kafka does not work.
KAFKA_NEEDS = {
    "process.roles=broker,controller": "which part it plays: no default",
    "node.id={id}": "no default",
    "controller.quorum.voters={id}@127.0.0.1:{controller}": "who keeps the cluster's data: no default",
    "listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}": "the controller's has no default",
    "controller.listener.names=CONTROLLER": "which of the listeners that is: no default",
    "log.dirs={data}": "a folder that was formatted before",
    "offsets.topic.replication.factor=1": "3 by default: alone it could keep no group's offsets",
    "log.cleaner.dedupe.buffer.size=2097152": "128 MB by default: as much as the whole memory the course gives it",
}
STARTS: dict[str, Callable[[Place, Say], Started]] = {
    "kafka": native_kafka.start,
    "rabbitmq": native_rabbitmq.start,
    "bare kafka": lambda place, say: native_kafka.start(place, say, list(KAFKA_NEEDS)),
    "bare rabbitmq": lambda place, say: native_rabbitmq.start(place, say, bare=True),
}


class Broker:
    """A broker that has been started here. seconds: from its start to the first client it served."""

    def __init__(self, started: Started, seconds: float, folder: Path) -> None:
        self.started, self.seconds, self.folder = started, seconds, folder
        self.client = started.running.client

    def memory_mb(self) -> float:
        """Resident memory of all its processes."""
        return sum(_resident(process) for process in self._processes()) / 1e6

    def processes(self) -> int:
        """How many processes it is."""
        return len(self._processes())

    def disk_mb(self) -> float:
        """What its folder takes on the disk."""
        walk = os.walk(self.folder)  # which does not mind that a folder vanishes under it, as `rglob` does
        return sum(_on_disk(Path(folder) / name) for folder, _, names in walk for name in names) / 1e6

    def _processes(self) -> list[psutil.Process]:
        own = [psutil.Process(process.pid) for process in self.started.processes]
        return [*own, *(child for process in own for child in process.children(recursive=True))]


@contextmanager
def started(which: str) -> Iterator[Broker]:
    """A broker with a folder of its own in the lab's; both are gone afterwards. which: a key of STARTS.

    Raises BrokerError when it does not start.
    """
    began = [time.perf_counter()]

    def say(_line: str) -> None:
        began.append(time.perf_counter())  # the last thing said before it starts: what is looked up first is not ours

    with own_broker(STARTS[which], say) as (running, folder):
        yield Broker(running, time.perf_counter() - began[-1], folder)


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:  # RabbitMQ runs small programs now and then, such as `df`
        return 0


def _on_disk(path: Path) -> int:
    """Bytes that a file takes. Kafka's indexes look large and are mostly holes, so its length would mislead."""
    try:
        found = path.lstat()
    except OSError:  # deleted in this moment
        return 0
    blocks = getattr(found, "st_blocks", None)  # none on Windows
    return found.st_size if blocks is None else blocks * 512


def lines(text: str) -> int:
    """How many settings a file has: lines that are neither empty nor a comment."""
    return sum(bool(line.strip()) and not line.lstrip().startswith(("#", "%")) for line in text.splitlines())


def course_settings() -> dict[str, int]:
    """How many settings the course's own files have for each broker."""
    folder = settings.course_root() / "docker"
    rabbitmq = sorted((folder / "rabbitmq" / "conf.d").glob("*.conf"))
    return {
        "kafka": lines((folder / "kafka" / "server.properties").read_text()),
        "rabbitmq": sum(lines(file.read_text()) for file in rabbitmq),
    }
