"""Apache Kafka from its jars, on the machine's Java: private data, private ports, loopback only."""

import base64
import contextlib
import hashlib
import os
import secrets
import shutil
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.base import ports
from labkit.provision import java as javas
from labkit.provision import kafka_jars, starting
from labkit.provision.child import Child
from labkit.provision.model import Place, Running, Say, Started, docker_folder

# What `StorageTool format` writes for Kafka 4.4.0: the feature levels, as the first records of the metadata log.
# Written by us because the tool would cost a whole JVM. Without it new consumer groups fail ("ConsumerGroupHeartbeat:
# API version not supported").
_CHECKPOINT = (
    "AAAAAAAAAAAAAABHAAAAAAKbAWoaACAAAAAAAAABog86xlIAAAGiDzrGUv//////////////////AAAAASoAAAAIAAAAAxYAAAAAAaIPOsZBAAAAAAAAAAAA"
    "AQAAAPEAAAAAAu2MtDEAAAAAAAUAAAGiDzrGXgAAAaIPOsZe//////////////////8AAAAGOgAAAAEuAQwAEW1ldGFkYXRhLnZlcnNpb24AIQAAWgAAAgFO"
    "AQwAIWVsaWdpYmxlLmxlYWRlci5yZXBsaWNhcy52ZXJzaW9uAAEAADQAAAQBKAEMAA5ncm91cC52ZXJzaW9uAAEAADQAAAYBKAEMAA5zaGFyZS52ZXJzaW9u"
    "AAIAADgAAAgBLAEMABBzdHJlYW1zLnZlcnNpb24AAQAAQAAACgE0AQwAFHRyYW5zYWN0aW9uLnZlcnNpb24AAgAAAAAAAAAAAAcAAAA/AAAAAAL9m32oACAA"
    "AAAAAAABog86xl8AAAGiDzrGX///////////////////AAAAARoAAAAIAAAABAYAAAAA"
)

ARCHIVE_GRACE_S = 15  # writing the class archive makes the first stop slow; measured 2 to 3 s


@dataclass(frozen=True)
class _Node:
    id: int
    port: int
    controller: int
    folder: Path


def start(place: Place, say: Say, only: Sequence[str] | None = None) -> Started:
    """Start as many brokers as are wanted, and wait until all of them answer a client. Raises BrokerError.

    only: lines of settings in place of the course's and ours; {id}, {port}, {controller}, {data} stand for the node's.
    """
    java = javas.find(place.cache, say)
    jars = kafka_jars.provide(place.cache, place.settings.maven_url, say)
    say(f"Kafka: starting {kafka_jars.VERSION} on Java {java.major} ({java.found})")
    return starting.with_fresh_ports(lambda: _start(place, java, jars, only))


def _start(place: Place, java: javas.Java, jars: Sequence[Path], only: Sequence[str] | None) -> Started:
    count = place.wanted.kafka_brokers
    free = ports.free(2 * count)
    nodes = [_Node(i + 1, free[2 * i], free[2 * i + 1], place.run / f"kafka-{i + 1}") for i in range(count)]
    cluster_id = base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")
    for node in nodes:
        _write_folder(node, nodes, cluster_id)
        if only is not None:
            (node.folder / "server.properties").write_text(bare_text(node, only))
    archive = _Archive(place.cache, java, train=count == 1)
    children = [_launch(place, node, java, jars, archive) for node in nodes]
    address = ",".join(f"127.0.0.1:{node.port}" for node in nodes)
    try:
        starting.await_ready(children, lambda: answers(address, count))
    except BaseException:
        for child in children:
            child.stop(0)
        raise
    running = Running(
        broker="kafka",
        version=kafka_jars.VERSION,
        source="native",
        address=address,
        since=time.time(),
        client={"bootstrap.servers": address},
        notes={"java": f"{java.major} ({java.found})", "brokers": str(count)},
    )
    started = Started(running, children, on_stopped=lambda: archive.keep(children[0]))

    def revive() -> None:
        """Start the dead brokers again, on the data and ports they had: what they acknowledged is on disk."""
        alive = [
            child
            if child.alive()
            else _launch(place, node, java, jars, _Archive(place.cache, java, train=False), keep_log=True)
            for node, child in zip(nodes, started.processes, strict=True)
            if isinstance(child, Child)
        ]
        started.processes = alive
        starting.await_ready(alive, lambda: answers(address, count))

    started.revive = revive
    return started


def answers(address: str, brokers: int) -> bool:
    """True when a client gets metadata from the address, and it knows of that many brokers."""
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    quiet: dict[str, Any] = {
        "bootstrap.servers": address,
        "log_level": 0,
        "error_cb": lambda _: None,
        "socket.timeout.ms": 2000,
    }
    try:
        return len(AdminClient(quiet).list_topics(timeout=0.5).brokers) >= brokers
    except KafkaException:
        return False


def _write_folder(node: _Node, nodes: Sequence[_Node], cluster_id: str) -> None:
    shutil.rmtree(node.folder, ignore_errors=True)  # a first try may have lost its port
    data = node.folder / "data"
    metadata = data / "__cluster_metadata-0"
    metadata.mkdir(parents=True)
    (node.folder / "tmp").mkdir()
    (metadata / f"{0:020}-{0:010}.checkpoint").write_bytes(base64.b64decode(_CHECKPOINT))
    directory_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    (data / "meta.properties").write_text(
        f"version=1\ncluster.id={cluster_id}\nnode.id={node.id}\ndirectory.id={directory_id}\n"
    )
    (node.folder / "server.properties").write_text(settings_text(node, nodes))


def settings_text(node: _Node, nodes: Sequence[_Node]) -> str:
    """The common settings, and after them what only this broker has. In a properties file the last line of a key
    counts."""
    own = {
        "node.id": str(node.id),
        "controller.quorum.voters": ",".join(f"{n.id}@127.0.0.1:{n.controller}" for n in nodes),
        "listeners": f"PLAINTEXT://127.0.0.1:{node.port},CONTROLLER://127.0.0.1:{node.controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{node.port}",
        "log.dirs": str(node.folder / "data").replace("\\", "/"),
    }
    if len(nodes) > 1:
        own |= cluster_settings()
    common = (docker_folder() / "kafka" / "server.properties").read_text()
    return common + "\n# generated for this broker\n" + "".join(f"{key}={value}\n" for key, value in own.items())


def bare_text(node: _Node, lines: Sequence[str]) -> str:
    """Nothing but these lines, with the node's own numbers and folder in their places."""
    data = str(node.folder / "data").replace("\\", "/")
    text = "".join(f"{line}\n" for line in lines)
    return text.format(id=node.id, port=node.port, controller=node.controller, data=data)


def cluster_settings() -> dict[str, str]:
    """What three brokers need on top of the common settings, from the file that Docker reads too."""
    lines = (docker_folder() / "kafka" / "cluster.env").read_text().splitlines()
    pairs = (line.split("=", 1) for line in lines if line.startswith("KAFKA_"))
    return {name.removeprefix("KAFKA_").lower().replace("_", "."): value for name, value in pairs}


def _launch(
    place: Place, node: _Node, java: javas.Java, jars: Sequence[Path], archive: "_Archive", keep_log: bool = False
) -> Child:
    options = ["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"]
    options += [f"-Djava.io.tmpdir={node.folder / 'tmp'}", *archive.options()]
    options += ["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true"]
    options += ["-Dlog4j.provider=org.apache.logging.log4j.simple.internal.SimpleProvider"]
    if java.major >= 24:  # the options came with it; without them it fills the log with warnings
        options += ["--sun-misc-unsafe-memory-access=allow", "--enable-native-access=ALL-UNNAMED"]
    options += ["-Xlog:disable", "-Xlog:all=error:stderr"]
    argv = [str(java.program), *options, "-cp", os.pathsep.join(map(str, jars)), "kafka.Kafka"]
    argv.append(str(node.folder / "server.properties"))
    grace = ARCHIVE_GRACE_S if archive.training else 0  # its data is thrown away: no need to stop gently
    name = f"kafka-{node.id}"
    return Child(name, argv, place.logs / f"{name}.log", cwd=node.folder, grace_s=grace, keep_log=keep_log)


class _Archive:
    """The JVM's class archive: halves the start. Made by the first run on this machine, when that run stops gently."""

    def __init__(self, cache: Path, java: javas.Java, train: bool) -> None:
        folder = cache / "archive"
        folder.mkdir(parents=True, exist_ok=True)
        # The archive is bound to the Java build; two Javas must not fight over one file.
        self._file = folder / f"kafka-{kafka_jars.VERSION}-java{java.major}-{_build(java.program)}"
        self._new = folder / f"{self._file.name}.{secrets.token_hex(3)}.new"
        self.training = train and not self._file.exists()
        self._aot = java.major >= 25

    def options(self) -> list[str]:
        if self.training:
            return [f"-XX:{'AOTCacheOutput' if self._aot else 'ArchiveClassesAtExit'}={self._new}"]
        if self._file.exists():
            return [f"-XX:{'AOTCache' if self._aot else 'SharedArchiveFile'}={self._file}"]
        return []

    def keep(self, child: Child) -> None:
        """Keep what the run wrote, if it came to its end: exit code 143 is SIGTERM obeyed."""
        if child.exit_code in (0, 143, -15) and self._new.exists():
            self._new.replace(self._file)
        for left in (self._new, self._new.with_name(self._new.name + ".config")):
            with contextlib.suppress(OSError):
                left.unlink()


def _build(program: Path) -> str:
    """A short mark of this very Java: its real path and age."""
    real = program.resolve()
    return hashlib.sha256(f"{real} {real.stat().st_mtime_ns}".encode()).hexdigest()[:8]
