"""The nouns of provisioning: what is wanted, where it is put, and what then runs."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from labkit.base.settings import Settings, course_root

NAMES = {"kafka": "Kafka", "rabbitmq": "RabbitMQ"}  # as they are written in texts and pictures

Say = Callable[[str], None]
"""Tells the user one line of progress."""


@dataclass(frozen=True)
class Wanted:
    """What a lab should consist of."""

    kafka_brokers: int = 1
    rabbitmq_nodes: int = 1
    embedded: bool = False  # librdkafka's own broker instead of Kafka: a stand-in, only on request


@dataclass(frozen=True)
class Place:
    """Where one lab's brokers live.

    run: their data, made for this run and removed after it. logs: kept until the next start.
    """

    settings: Settings
    run: Path
    wanted: Wanted = Wanted()

    @property
    def cache(self) -> Path:
        """Downloads and unpacked programs: kept, and shared by the labs of one clone."""
        return self.settings.cache

    @property
    def logs(self) -> Path:
        return self.settings.home / "log"


@dataclass(frozen=True)
class Running:
    """One broker (or cluster) that runs, as the user is told of it.

    broker: "kafka" or "rabbitmq". source: the rung it came from. address: host:port, comma separated in a cluster.
    since: Unix time in seconds. client: what a client needs: librdkafka settings for Kafka, {"url": ...} for RabbitMQ.
    notes: whatever the user should know, such as another web page of it.
    """

    broker: str
    version: str
    source: str
    address: str
    since: float
    client: dict[str, str]
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """`Kafka 4.4.0 · native`: how plots are stamped. A stand-in is named as one."""
        name = NAMES[self.broker]
        if self.source == "embedded":
            return f"stand-in for Kafka (librdkafka {self.version}) · embedded"
        return " · ".join([f"{name} {self.version}".strip(), self.source])

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(data: dict[str, Any]) -> "Running":
        return Running(**data)


class Process(Protocol):
    """A process the lab owns: a `child.Child`, or something that acts like one."""

    name: str
    pid: int

    def alive(self) -> bool: ...

    def stop(self, grace_s: float | None = None) -> None: ...


@dataclass
class Started:
    """A broker that a rung has started: what to tell, and what to stop.

    revive starts again, on the same data and ports, whatever of it has died. on_stopped runs after all have ended.
    """

    running: Running
    processes: Sequence[Process] = ()
    revive: Callable[[], None] | None = None
    on_stopped: Callable[[], None] | None = None

    def alive(self) -> bool:
        return all(process.alive() for process in self.processes)

    def stop(self) -> None:
        for process in self.processes:
            process.stop()
        if self.on_stopped:
            self.on_stopped()


def docker_folder() -> Path:
    """The folder with the brokers' settings: one truth for Docker and for native brokers."""
    return course_root() / "docker"


def free_space(path: Path) -> int:
    """Bytes free on the disk that holds `path` (which need not exist yet)."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free


def write_private(path: Path, data: dict[str, Any]) -> None:
    """Write JSON that only its owner can read, whole or not at all."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600)
    new.write_text(json.dumps(data))
    new.replace(path)
