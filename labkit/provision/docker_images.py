"""Is there a Docker to start brokers with, and are the images there? Every "no" is one line, said within seconds."""

import os
import queue
import shutil
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from labkit.base.errors import BrokerError
from labkit.provision.model import Say

ENGINE_WITHIN_S = 3.0
REGISTRY_WITHIN_S = 10.0  # from the request to the registry's first word
LAYER_WITHIN_S = 900.0  # from one layer to the next: a large one on a slow line


@dataclass(frozen=True)
class Engine:
    """A Docker engine that answers: its client, the words that call Compose, and its version."""

    docker: str
    compose: tuple[str, ...]
    version: str

    def ask(self, *words: str, within_s: float = 30.0) -> str:
        """What the client prints for a command. Raises BrokerError with its last words when it fails."""
        return _ask([self.docker, *words], within_s)


def find(env: Mapping[str, str] | None = None) -> Engine:
    """The engine of this machine. Raises BrokerError that says what is missing."""
    env = os.environ if env is None else env
    docker = shutil.which("docker", path=env.get("PATH", ""))
    if not docker:
        raise BrokerError("There is no `docker` on PATH.", "install Docker, if you want the brokers from there")
    _refuse_remote(docker)
    try:
        version = _ask([docker, "version", "--format", "{{.Server.Version}}"], ENGINE_WITHIN_S)
    except BrokerError as error:
        raise BrokerError(
            f"Docker is installed, but its engine does not answer: {error.what}",
            "start Docker Desktop or the docker service; on Linux be in the group `docker`",
        ) from error
    return Engine(docker, _compose(docker, env), version)


def have(engine: Engine, images: Sequence[str], say: Say) -> None:
    """Have the images in the engine; pull those that are missing, with progress.

    Raises BrokerError in one line when one cannot be had: `Docker answers but cannot get apache/kafka:…: …`
    """
    for image in images:
        try:
            engine.ask("image", "inspect", "--format", "{{.Id}}", image)
        except BrokerError:
            pull(engine, image, say)


def pull(engine: Engine, image: str, say: Say) -> None:
    """Fetch one image. Gives up when the registry shows no sign of life for `REGISTRY_WITHIN_S` seconds."""
    say(f"Docker: fetching {image}")
    puller = subprocess.Popen(
        [engine.docker, "pull", image],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    try:
        last = _follow(puller, image, say)
    finally:
        puller.kill()  # does nothing to a client that has ended
        puller.wait()
    if puller.returncode != 0 or last is None:
        why = last or f"the registry shows no sign of life for {REGISTRY_WITHIN_S:g} s"
        raise BrokerError(
            f"Docker answers but cannot get {image}: {why}",
            f"check the network and try `docker pull {image}`; a company's mirror is set in Docker's own settings",
        )


def _follow(puller: "subprocess.Popen[str]", image: str, say: Say) -> str | None:
    """Read what `docker pull` tells until it ends; its last line, or None when it went silent."""
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        assert puller.stdout
        for line in puller.stdout:
            lines.put(line.strip())
        lines.put(None)

    threading.Thread(target=read, name=f"pull {image}", daemon=True).start()
    last, layers, done = "it gave no reason", 0, 0
    patience = REGISTRY_WITHIN_S
    while True:
        try:
            line = lines.get(timeout=patience)
        except queue.Empty:
            return None if patience == REGISTRY_WITHIN_S else f"nothing more came for {patience:g} s"
        if line is None:
            puller.wait()
            return last
        if line.endswith("Pulling fs layer"):
            layers += 1
            patience = LAYER_WITHIN_S
        elif line.endswith("Pull complete"):
            done += 1
            say(f"Docker: {image}, {done} of {layers} layers")
        last = _short(line) or last


def _refuse_remote(docker: str) -> None:
    """An engine on another machine opens its ports there and does not see our files."""
    try:
        host = _ask([docker, "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"], ENGINE_WITHIN_S)
    except BrokerError:
        return  # an old client without contexts, or no context of that name: the engine's own answer will tell
    address = urlsplit(host)
    here = address.scheme != "ssh" and address.hostname in (None, "127.0.0.1", "localhost", "::1")
    if not here:
        raise BrokerError(
            f"Docker's engine is on another machine ({address.hostname}).",
            "start brokers there yourself and set LABKIT_KAFKA and LABKIT_RABBITMQ, or unset DOCKER_HOST",
        )


def _compose(docker: str, env: Mapping[str, str]) -> tuple[str, ...]:
    try:
        _ask([docker, "compose", "version"], 10)
        return (docker, "compose")
    except BrokerError:
        old = shutil.which("docker-compose", path=env.get("PATH", ""))
        if old:
            return (old,)
    raise BrokerError(
        "Docker is there, but neither `docker compose` nor `docker-compose`.",
        "install Docker's compose plugin (apt install docker-compose, or docker-compose-v2 on Ubuntu)",
    )


def _ask(argv: Sequence[str], within_s: float) -> str:
    try:
        answer = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=within_s, check=False
        )
    except subprocess.TimeoutExpired:
        raise BrokerError(f"no answer within {within_s:g} s", "look at the Docker engine") from None
    except OSError as error:
        raise BrokerError(f"{argv[0]} cannot be run: {error}", "look at the Docker client") from error
    if answer.returncode != 0:
        words = (answer.stderr.strip() or answer.stdout.strip() or "it gave no reason").splitlines()
        raise BrokerError(_short(words[-1]), f"try it by hand: {' '.join(argv)}")
    return answer.stdout.strip()


def _short(line: str) -> str:
    """One line, without the client's habits of speech."""
    return line.removeprefix("Error response from daemon: ").removeprefix("ERROR: ").strip()[:300]
