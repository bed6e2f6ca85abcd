"""The containers of one lab: watched, killed, started again, and cleared away when a crash has left them."""

import hashlib
import time
from dataclasses import dataclass, field
from pathlib import Path

from labkit.base.errors import BrokerError
from labkit.provision.child import Child
from labkit.provision.docker_images import Engine
from labkit.provision.model import Place

_PROJECT = "label=com.docker.compose.project"
LOOK_EVERY_S = 2.0  # a look costs a docker command of some 30 ms


@dataclass(frozen=True)
class Project:
    """One Compose project. name: from the run folder. lab: from the lab's home, on every container as a label."""

    name: str
    lab: str

    @staticmethod
    def of(place: Place, broker: str) -> "Project":
        return Project(f"labkit-{broker}-{_mark(place.run)}", _mark(place.settings.home))


@dataclass
class Container:
    """One broker in its container, with the manners of a process (`model.Process`)."""

    name: str
    service: str
    engine: Engine
    project: Project
    pid: int = 0  # the broker's, where engine and lab share one machine; asked when it is first seen running
    _seen: str = field(default="", repr=False)
    _seen_at: float = field(default=0.0, repr=False)

    def alive(self) -> bool:
        """Does it run? Asked of the engine at most every `LOOK_EVERY_S` seconds."""
        return self._state() == "running"

    def ended(self) -> bool:
        """Has it been started, and has stopped?"""
        return self._state() in ("exited", "dead")

    def stop(self, grace_s: float | None = None) -> None:
        """End the broker like `kill -9`, or gently with grace_s; its container and its data stay."""
        words = ("stop", "--time", f"{grace_s:.0f}") if grace_s else ("kill",)
        self._do(*words)

    def start(self) -> None:
        """Start it again, on the data and port it had. Raises BrokerError."""
        self.engine.ask("start", self._id())
        self._seen_at = 0.0

    def _do(self, *words: str) -> None:
        try:
            self.engine.ask(*words, self._id(), within_s=120)
        except BrokerError:  # it has ended already, or its engine has
            pass
        self._seen_at = 0.0

    def _state(self) -> str:
        if time.monotonic() - self._seen_at > LOOK_EVERY_S or self._seen != "running":
            try:
                answer = self.engine.ask("inspect", "-f", "{{.State.Status}} {{.State.Pid}}", self._id())
                self._seen, pid = answer.split()
                self.pid = int(pid) or self.pid
            except (BrokerError, ValueError):
                self._seen = "unknown"
            self._seen_at = time.monotonic()
        return self._seen

    def _id(self) -> str:
        project = f"{_PROJECT}={self.project.name}"
        service = f"label=com.docker.compose.service={self.service}"
        found = self.engine.ask("ps", "-aq", "--filter", project, "--filter", service).split()
        if not found:
            raise BrokerError(f"There is no container of {self.name}.", "start the lab again")
        return found[0]


class Keeper:
    """Owns the project: when it ends, by order or by accident, its guardian takes down the containers and their
    data."""

    def __init__(self, child: Child) -> None:
        self._child = child
        self.name = child.name
        self.pid = child.pid

    def alive(self) -> bool:
        return self._child.alive()

    def stop(self, grace_s: float | None = None) -> None:
        # Never at once: killed within `up` it would leave a container behind that starts a moment later.
        self._child.stop()


def clear_leftovers(engine: Engine, place: Place) -> None:
    """Remove what a crash of this lab has left: containers of run folders that are gone.

    It needs more than `kill -9` of the lab to leave some: the guardian must die at the same moment.
    """
    lab = f"label=course.lab={_mark(place.settings.home)}"
    form = '{{.ID}} {{.Label "com.docker.compose.project"}} {{.Label "course.run"}}'
    for line in engine.ask("ps", "-a", "--filter", lab, "--format", form).splitlines():
        container, project, run = line.split(" ", 2)
        if not Path(run).exists():
            _try(engine, "rm", "-fv", container)
            for network in engine.ask("network", "ls", "-q", "--filter", f"{_PROJECT}={project}").split():
                _try(engine, "network", "rm", network)


def _try(engine: Engine, *words: str) -> None:
    try:
        engine.ask(*words)
    except BrokerError:  # it is gone already, or something of the same project is still in it: its turn comes
        pass


def _mark(path: Path) -> str:
    return hashlib.sha256(str(path).encode()).hexdigest()[:10]
