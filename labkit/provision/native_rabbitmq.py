"""RabbitMQ as a private node (or three) of this machine: own data, own ports, own password, loopback only."""

import logging
import os
import secrets
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from labkit.base import ports
from labkit.provision import rabbitmq_program, starting
from labkit.provision.child import Child
from labkit.provision.model import Place, Running, Say, Started, docker_folder
from labkit.provision.rabbitmq_program import Program

USER = "course"


@dataclass(frozen=True)
class _Node:
    name: str
    folder: Path
    amqp: int
    distribution: int
    management: int
    stream: int

    @property
    def host(self) -> str:
        return self.name.split("@")[1]


def start(place: Place, say: Say, bare: bool = False) -> Started:
    """Start as many nodes as are wanted, and wait until all of them serve a client. Raises BrokerError.

    bare: one node without any settings file and without plugins; only its port and address are given to it.
    """
    program = rabbitmq_program.find(place.cache, say)
    say(f"RabbitMQ: starting {program.version} ({program.found})")
    return starting.with_fresh_ports(lambda: _start(place, program, bare))


def _start(place: Place, program: Program, bare: bool) -> Started:
    count = place.wanted.rabbitmq_nodes
    free = ports.free(4 * count + 1)
    epmd_port, password, cookie = free[0], secrets.token_urlsafe(18), secrets.token_hex(16)
    nodes = []
    for i in range(count):
        amqp, distribution, management, stream = free[1 + 4 * i : 5 + 4 * i]
        name = "rabbit" if count == 1 else f"rabbit{i + 1}"
        folder = place.run / f"rabbitmq-{i + 1}"
        nodes.append(_Node(f"{name}@localhost", folder, amqp, distribution, management, stream))
    for node in nodes:
        _write_folder(node, nodes, cookie)
        if bare:
            _empty(node)
    epmd = _launch_epmd(place, program, epmd_port, nodes[0])
    children = [_launch(place, program, node, epmd_port, password) for node in nodes]
    urls = [f"amqp://{USER}:{password}@127.0.0.1:{node.amqp}/%2F" for node in nodes]
    page = f"http://127.0.0.1:{nodes[0].management}"  # where there is no such plugin nobody answers there
    try:
        starting.await_ready([*children, epmd], lambda: all_serve(urls) and _joined(page, password, count))
    except BaseException:
        for child in (*children, epmd):
            child.stop(0)
        raise
    running = Running(
        broker="rabbitmq",
        version=program.version,
        source="native",
        address=",".join(f"127.0.0.1:{node.amqp}" for node in nodes),
        since=time.time(),
        client={"url": urls[0]} if count == 1 else {"url": urls[0], "urls": " ".join(urls)},
        notes={
            "management": page,
            "stream": f"127.0.0.1:{nodes[0].stream}",
            "found": program.found,
            "nodes": str(count),
        },
    )
    started = Started(running, [*children, epmd])

    def revive() -> None:
        """Start the dead nodes again, on the data and ports they had."""
        *before, mapper = (child for child in started.processes if isinstance(child, Child))
        mapper = mapper if mapper.alive() else _launch_epmd(place, program, epmd_port, nodes[0])
        now = [
            child if child.alive() else _launch(place, program, node, epmd_port, password, keep_log=True)
            for node, child in zip(nodes, before, strict=True)
        ]
        started.processes = [*now, mapper]
        starting.await_ready([*now, mapper], lambda: all_serve(urls))

    started.revive = revive
    return started


def all_serve(urls: Sequence[str]) -> bool:
    """True when a client can open a channel at every address."""
    import pika

    logging.getLogger("pika").setLevel(logging.CRITICAL)  # a refused connection is what we expect for a while
    for url in urls:
        parameters = pika.URLParameters(f"{url}?connection_attempts=1&socket_timeout=1&blocked_connection_timeout=2")
        try:
            connection = pika.BlockingConnection(parameters)
            connection.channel()
            connection.close()
        except Exception:  # pika's errors while a node starts are of many families, some of no common one
            return False
    return True


def _joined(page: str, password: str, count: int) -> bool:
    """True when that many nodes run in one cluster, as the management page tells. One node need not be asked."""
    if count == 1:
        return True
    import base64
    import json
    import urllib.request

    request = urllib.request.Request(f"{page}/api/nodes")
    request.add_header("Authorization", "Basic " + base64.b64encode(f"{USER}:{password}".encode()).decode())
    try:
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy knows no 127.0.0.1 of ours
        with direct.open(request, timeout=2) as answer:
            running = [node for node in json.load(answer) if node.get("running")]
            return len(running) == count
    except OSError:
        return False


def _write_folder(node: _Node, nodes: Sequence[_Node], cookie: str) -> None:
    shutil.rmtree(node.folder, ignore_errors=True)  # a first try may have lost its port
    conf = node.folder / "conf.d"
    conf.mkdir(parents=True)
    shared = docker_folder() / "rabbitmq"
    for file in sorted((shared / "conf.d").glob("*.conf")):
        (conf / file.name).write_text(file.read_text())
    (node.folder / "enabled_plugins").write_text((shared / "enabled_plugins").read_text())
    (conf / "90-native.conf").write_text(settings_text(node, nodes))
    secret = node.folder / ".erlang.cookie"
    secret.touch(mode=0o600)
    secret.write_text(cookie)
    secret.chmod(0o400)  # Erlang refuses a cookie that others can read


def _empty(node: _Node) -> None:
    """Take the settings and the plugins away again."""
    for file in (node.folder / "conf.d").glob("*.conf"):
        file.unlink()
    (node.folder / "enabled_plugins").write_text("[].\n")


def settings_text(node: _Node, nodes: Sequence[_Node]) -> str:
    """What only this node has; read after the common files, because files are read in the order of their names."""
    lines = [
        f"listeners.tcp.1 = 127.0.0.1:{node.amqp}",
        "management.tcp.ip = 127.0.0.1",
        f"management.tcp.port = {node.management}",
        f"stream.listeners.tcp.1 = 127.0.0.1:{node.stream}",
        "stream.advertised_host = localhost",
        f"stream.advertised_port = {node.stream}",
    ]
    if len(nodes) > 1:
        lines.append("cluster_formation.peer_discovery_backend = classic_config")
        lines += [f"cluster_formation.classic_config.nodes.{i} = {n.name}" for i, n in enumerate(nodes, 1)]
    return "\n".join(lines) + "\n"


def _environment(program: Program, folder: Path, epmd_port: int) -> dict[str, str]:
    """A clean environment: whatever RABBITMQ_* or ERL_* the user has set is for another node."""
    keep = {key: value for key, value in os.environ.items() if not key.startswith(("RABBITMQ_", "ERL_", "LABKIT_"))}
    return keep | {
        "PATH": os.pathsep.join([str(program.erlang), keep.get("PATH", os.defpath)]),
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "ERL_EPMD_PORT": str(epmd_port),
    }


def _launch_epmd(place: Place, program: Program, port: int, node: _Node) -> Child:
    """Erlang's port mapper, as a child of ours: left to itself, RabbitMQ starts one that stays forever."""
    epmd = next(iter(program.erlang.parent.glob("erts-*/bin/epmd")), None) or program.erlang / "epmd"
    argv = [str(epmd), "-port", str(port), "-address", "127.0.0.1"]
    return Child("rabbitmq-epmd", argv, place.logs / "rabbitmq-epmd.log", _environment(program, node.folder, port))


def _launch(
    place: Place, program: Program, node: _Node, epmd_port: int, password: str, keep_log: bool = False
) -> Child:
    base = node.folder
    arguments = "-kernel inet_dist_use_interface {127,0,0,1} +S 2:2 +A 4 -start_epmd false"
    env = _environment(program, base, epmd_port) | {
        "RABBITMQ_NODENAME": node.name,
        "RABBITMQ_DIST_PORT": str(node.distribution),
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",  # both count only where no settings file names a listener
        "RABBITMQ_NODE_PORT": str(node.amqp),
        "RABBITMQ_CONFIG_FILES": str(base / "conf.d"),
        "RABBITMQ_CONFIG_FILE": str(base / "rabbitmq"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(base / "advanced.config"),
        "RABBITMQ_CONF_ENV_FILE": str(base / "none.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(base / "enabled_plugins"),
        "RABBITMQ_MNESIA_BASE": str(base / "data"),
        "RABBITMQ_LOG_BASE": str(base / "log"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_PID_FILE": str(base / "rabbit.pid"),
        "RABBITMQ_GENERATED_CONFIG_DIR": str(base / "generated"),
        "RABBITMQ_DEFAULT_USER": USER,
        "RABBITMQ_DEFAULT_PASS": password,
        "RUNNING_UNDER_SYSTEMD": "1",  # the shell wrapper then becomes the VM, so that there is one process to watch
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": arguments,
    }
    name = base.name
    return Child(name, [str(program.server)], place.logs / f"{name}.log", env, cwd=base, keep_log=keep_log)
