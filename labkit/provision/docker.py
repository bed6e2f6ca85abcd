"""Brokers from the official Docker images: one of each by `docker/compose.yml`, three by `docker/cluster.yml`.

Every lab has Compose projects of its own, named after its run folder, so two labs never touch.
"""

import base64
import json
import os
import re
import secrets
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.base import patience, ports
from labkit.base.errors import BrokerError
from labkit.provision import docker_images, native_kafka, native_rabbitmq, starting
from labkit.provision.child import Child
from labkit.provision.docker_containers import Container, Keeper, Project, clear_leftovers
from labkit.provision.docker_images import Engine
from labkit.provision.model import Place, Running, Say, Started, docker_folder

USER = native_rabbitmq.USER
_KEEPER = Path(__file__).with_name("docker_keeper.py")
UP_GRACE_S = 30  # an `up` that has begun is let finish, so that nothing starts behind the back of `down`
_PORTS = {
    "kafka": ("COURSE_KAFKA_PORT",),
    "rabbitmq": ("COURSE_RABBITMQ_PORT", "COURSE_MANAGEMENT_PORT", "COURSE_STREAM_PORT"),
}
_PORT_LOST = ("port is already allocated", "address already in use", "ports are not available")


@dataclass(frozen=True)
class _Plan:
    """What to start: the Compose file, its services in order, and for each service its published ports by variable."""

    broker: str
    file: Path
    services: tuple[str, ...]
    image: str
    ports: Mapping[str, int]
    password: str

    def port(self, name: str, node: int = 1) -> int:
        return self.ports[_numbered(name, node)]


def start_kafka(place: Place, say: Say) -> Started:
    """Start Kafka in containers, and wait until every broker answers. Raises BrokerError in one line."""
    return _start(place, say, "kafka", place.wanted.kafka_brokers)


def start_rabbitmq(place: Place, say: Say) -> Started:
    """Start RabbitMQ in containers, and wait until every node serves a client. Raises BrokerError in one line."""
    return _start(place, say, "rabbitmq", place.wanted.rabbitmq_nodes)


def image_of(broker: str, file: Path) -> str:
    """The pinned image of a broker, as a Compose file names it."""
    found = re.search(rf"image: (\S*{broker}:\S+)", file.read_text())
    assert found, f"{file} names no image for {broker}"
    return found[1]


def _start(place: Place, say: Say, broker: str, count: int) -> Started:
    if count not in (1, 3):
        raise BrokerError(f"Docker starts one or three of {broker}, not {count}.", "ask for 1 or 3")
    engine = docker_images.find()
    file = docker_folder() / ("compose.yml" if count == 1 else "cluster.yml")
    docker_images.have(engine, [image_of(broker, file)], say)
    clear_leftovers(engine, place)
    say(f"{'Kafka' if broker == 'kafka' else 'RabbitMQ'}: starting {image_of(broker, file)} in Docker {engine.version}")
    return starting.with_fresh_ports(lambda: _start_once(place, engine, _plan(broker, count, file)))


def _plan(broker: str, count: int, file: Path) -> _Plan:
    variables = [_numbered(name, node) for node in range(1, count + 1) for name in _PORTS[broker]]
    services = (broker,) if count == 1 else tuple(f"{broker}{node}" for node in range(1, count + 1))
    chosen = dict(zip(variables, ports.free(len(variables)), strict=True))
    return _Plan(broker, file, services, image_of(broker, file), chosen, secrets.token_urlsafe(18))


def _numbered(name: str, node: int) -> str:
    return name if node == 1 else f"{name}_{node}"


def _start_once(place: Place, engine: Engine, plan: _Plan) -> Started:
    project = Project.of(place, plan.broker)
    keeper = _launch(place, engine, plan, project)
    numbered = enumerate(plan.services, 1)
    containers = [Container(f"{plan.broker}-{i}", service, engine, project) for i, service in numbered]
    try:
        _await(keeper, containers, place, _ready(plan))
        running = _kafka_runs(plan) if plan.broker == "kafka" else _rabbitmq_runs(plan)
    except BaseException:
        keeper.stop()
        raise

    def revive() -> None:
        """Start the containers again that have stopped: each keeps its data and its port."""
        for container in containers:
            if not container.alive():
                container.start()
        _await(keeper, containers, place, _ready(plan))

    # The keeper last: its end takes the whole project down, with its data.
    return Started(running, [*containers, Keeper(keeper)], revive)


def _launch(place: Place, engine: Engine, plan: _Plan, project: Project) -> Child:
    compose = [*engine.compose, "-p", project.name, "-f", str(plan.file)]
    logs = {service: str(place.logs / f"{plan.broker}-{i}.log") for i, service in enumerate(plan.services, 1)}
    up = [*compose, "up", "-d", *plan.services]
    spec = {"up": up, "docker": engine.docker, "project": project.name, "logs": logs}
    return Child(
        f"{plan.broker} (docker)",
        [sys.executable, "-I", "-S", str(_KEEPER), json.dumps(spec)],
        place.logs / f"{plan.broker}-docker.log",
        _environment(place, plan, project),
        stop_argv=[*compose, "down", "-v", "--timeout", "1"],
        grace_s=UP_GRACE_S,
    )


def _environment(place: Place, plan: _Plan, project: Project) -> dict[str, str]:
    """What the Compose files ask for. What the user has set of these is for other brokers."""
    others = ("RABBITMQ_", "KAFKA_", "COURSE_", "COMPOSE_", "LABKIT_")
    keep = {key: value for key, value in os.environ.items() if not key.startswith(others)}
    return keep | {
        "COURSE_SETTINGS": str(_readable_settings(place, plan.broker)),
        "COURSE_LAB": project.lab,
        "COURSE_RUN": str(place.run),
        "COURSE_ERLANG_COOKIE": secrets.token_hex(16),
        "RABBITMQ_DEFAULT_USER": USER,
        "RABBITMQ_DEFAULT_PASS": plan.password,
        **{name: str(port) for name, port in plan.ports.items()},
    }


def _readable_settings(place: Place, broker: str) -> Path:
    """A copy of the settings that the container's user can read, whatever the umask of the clone was."""
    folder = place.run / f"docker-{broker}"
    for file in sorted((docker_folder() / broker).rglob("*")):
        if file.is_file():
            copy = folder / file.relative_to(docker_folder())
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(file.read_bytes())
            copy.chmod(0o644)
    return folder


def _ready(plan: _Plan) -> Callable[[], bool]:
    count = len(plan.services)
    if plan.broker == "kafka":
        return lambda: native_kafka.answers(_address(plan, "COURSE_KAFKA_PORT"), count)
    # First what can be asked quietly: Docker takes a client's call before a broker is behind it, and pika complains.
    return lambda: _listens(plan) and _joined(plan) and native_rabbitmq.all_serve(_urls(plan))


def _await(keeper: Child, containers: Sequence[Container], place: Place, ready: Callable[[], bool]) -> None:
    """Wait for the brokers; raises as soon as Compose fails or a container has ended."""
    within_s = patience.seconds(starting.READY_WITHIN_S)
    end = time.monotonic() + within_s
    while not ready():
        if not keeper.alive():
            raise _not_up(keeper)
        ended = [container for container in containers if container.ended()]
        if ended or time.monotonic() > end:
            what = "ended while starting" if ended else f"did not answer within {within_s:g} s"
            name = (ended or containers)[0].name
            raise BrokerError(
                f"{name} in Docker {what}. {_last_line(place.logs / f'{name}.log')}",
                f"see {place.logs / f'{name}.log'}; `docker system df` and `docker info` tell of disk and memory",
            )
        time.sleep(0.1)


def _not_up(keeper: Child) -> BrokerError:
    text = keeper.tail(40)
    if any(sign in text.lower() for sign in _PORT_LOST):
        return starting.PortLostError(f"{keeper.name} could not listen: another program took its port.", "try again")
    errors = [line for line in text.splitlines() if "error" in line.lower()]
    why = (errors or text.splitlines() or ["it gave no reason"])[0].strip()[:300]
    return BrokerError(f"`docker compose up` failed: {why}", f"see {keeper.log}")


def _last_line(log: Path) -> str:
    try:
        return f"Its last line: {log.read_text(errors='replace').splitlines()[-1].strip()[:300]}"
    except (OSError, IndexError):
        return "It wrote nothing."


def _address(plan: _Plan, name: str) -> str:
    return ",".join(f"127.0.0.1:{plan.port(name, node)}" for node in range(1, len(plan.services) + 1))


def _urls(plan: _Plan) -> list[str]:
    addresses = _address(plan, "COURSE_RABBITMQ_PORT").split(",")
    return [f"amqp://{USER}:{plan.password}@{address}/%2F" for address in addresses]


def _kafka_runs(plan: _Plan) -> Running:
    address = _address(plan, "COURSE_KAFKA_PORT")
    notes = {"image": plan.image, "brokers": str(len(plan.services))}
    # Kafka tells no client its version; the image is pinned to one.
    version = plan.image.rsplit(":", 1)[1]
    return Running("kafka", version, "docker", address, time.time(), {"bootstrap.servers": address}, notes)


def _rabbitmq_runs(plan: _Plan) -> Running:
    urls = _urls(plan)
    client = {"url": urls[0]} if len(urls) == 1 else {"url": urls[0], "urls": " ".join(urls)}
    notes = {
        "management": f"http://127.0.0.1:{plan.port('COURSE_MANAGEMENT_PORT')}",
        "stream": f"127.0.0.1:{plan.port('COURSE_STREAM_PORT')}",
        "image": plan.image,
        "nodes": str(len(urls)),
    }
    overview = _management(plan, "overview") or {}
    version = str(overview.get("rabbitmq_version", plan.image.rsplit(":", 1)[1]))
    return Running("rabbitmq", version, "docker", _address(plan, "COURSE_RABBITMQ_PORT"), time.time(), client, notes)


def _listens(plan: _Plan) -> bool:
    return _management(plan, "health/checks/port-listener/5672") is not None


def _joined(plan: _Plan) -> bool:
    """True when all nodes run in one cluster, as the first one tells."""
    nodes = _management(plan, "nodes") or []
    return sum(bool(node.get("running")) for node in nodes) == len(plan.services)


def _management(plan: _Plan, what: str) -> Any:
    """An answer of RabbitMQ's management interface, or None."""
    request = urllib.request.Request(f"http://127.0.0.1:{plan.port('COURSE_MANAGEMENT_PORT')}/api/{what}")
    request.add_header("Authorization", "Basic " + base64.b64encode(f"{USER}:{plan.password}".encode()).decode())
    # A company's proxy must not be asked for 127.0.0.1.
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=2) as answer:
            return json.load(answer)
    except (OSError, ValueError):
        return None
