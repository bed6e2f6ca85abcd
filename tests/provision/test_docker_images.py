"""Docker that is missing, silent, far away or cut off: one line each, within seconds. The client here is a script."""

import os
import time

import pytest

from labkit.base.errors import BrokerError
from labkit.provision import docker_images
from labkit.provision.docker_images import Engine


class Client:
    """A `docker` that answers as told: each case of a shell `case` on all its words."""

    def __init__(self, folder, monkeypatch) -> None:
        self.folder = folder
        self.env = {"PATH": str(folder)}
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.defpath}")

    def answers(self, cases: str, name: str = "docker") -> None:
        script = self.folder / name
        script.write_text(f'#!/bin/sh\ncase "$*" in\n{cases}\n*) echo "unknown: $*" >&2; exit 1;;\nesac\n')
        script.chmod(0o755)

    @property
    def engine(self) -> Engine:
        return Engine(str(self.folder / "docker"), ("docker", "compose"), "28.0")


HERE = '"context inspect"*) echo unix:///var/run/docker.sock;;\n'
ENGINE = HERE + '"version --format"*) echo 28.0;;\n'


@pytest.fixture
def client(tmp_path, monkeypatch):
    monkeypatch.setattr(docker_images, "ENGINE_WITHIN_S", 0.5)
    monkeypatch.setattr(docker_images, "REGISTRY_WITHIN_S", 0.5)
    return Client(tmp_path, monkeypatch)


def test_a_machine_without_docker_is_told_in_one_line(client):
    with pytest.raises(BrokerError) as error:
        docker_images.find(client.env)
    assert error.value.what == "There is no `docker` on PATH."


def test_an_engine_that_is_not_started_is_told_with_the_clients_own_words(client):
    client.answers(HERE + "version*) echo 'Cannot connect to the Docker daemon. Is it running?' >&2; exit 1;;")
    with pytest.raises(BrokerError) as error:
        docker_images.find(client.env)
    assert error.value.what == (
        "Docker is installed, but its engine does not answer: Cannot connect to the Docker daemon. Is it running?"
    )
    assert "start Docker Desktop" in error.value.cure


def test_an_engine_that_hangs_is_given_up(client):
    client.answers(HERE + "version*) exec sleep 60;;")
    with pytest.raises(BrokerError, match=r"its engine does not answer: no answer within 0\.5 s"):
        docker_images.find(client.env)


@pytest.mark.parametrize("host", ["tcp://10.0.0.7:2376", "ssh://someone@far.example"])
def test_an_engine_on_another_machine_is_refused(client, host):
    client.answers(ENGINE.replace("unix:///var/run/docker.sock", host) + "compose*) echo 2;;")
    with pytest.raises(BrokerError, match=r"on another machine \((10\.0\.0\.7|far\.example)\)"):
        docker_images.find(client.env)


@pytest.mark.parametrize(
    "host", ["tcp://127.0.0.1:2375", "unix:///run/user/1000/docker.sock", "npipe:////./pipe/docker"]
)
def test_an_engine_on_this_machine_is_taken(client, host):
    client.answers(ENGINE.replace("unix:///var/run/docker.sock", host) + "'compose version') echo 2;;")
    assert docker_images.find(client.env).version == "28.0"


def test_the_compose_plugin_is_preferred(client):
    client.answers(ENGINE + "'compose version') echo 2;;")
    client.answers("*) echo 1.29;;", name="docker-compose")
    assert docker_images.find(client.env).compose == (str(client.folder / "docker"), "compose")


def test_the_old_compose_is_taken_where_there_is_no_plugin(client):
    client.answers(ENGINE)
    client.answers("*) echo 1.29;;", name="docker-compose")
    assert docker_images.find(client.env).compose == (str(client.folder / "docker-compose"),)


def test_docker_without_any_compose_is_refused(client):
    client.answers(ENGINE)
    with pytest.raises(BrokerError, match="neither `docker compose` nor `docker-compose`"):
        docker_images.find(client.env)


def test_images_that_are_there_are_not_pulled(client):
    client.answers("'image inspect'*) echo sha256:1;;")
    said: list[str] = []
    docker_images.have(client.engine, ["a:1", "b:2"], said.append)
    assert said == []


def test_a_registry_that_cannot_be_reached_is_told_in_one_line(client):
    reason = "Error response from daemon: Get https://registry.example/v2/: no such host"
    client.answers(f"'pull kafka:4') echo '{reason}' >&2; exit 1;;")
    with pytest.raises(BrokerError) as error:
        docker_images.have(client.engine, ["kafka:4"], print)
    assert error.value.what == "Docker answers but cannot get kafka:4: Get https://registry.example/v2/: no such host"


def test_a_registry_that_is_silent_is_given_up_and_its_client_killed(client):
    pid = client.folder / "pid"
    client.answers(f"pull*) echo $$ > '{pid}'; exec sleep 60;;")
    begin = time.monotonic()
    with pytest.raises(BrokerError, match=r"cannot get kafka:4: the registry shows no sign of life for 0\.5 s"):
        docker_images.pull(client.engine, "kafka:4", print)
    assert time.monotonic() - begin < 30
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_a_pull_that_begins_may_take_its_time_and_shows_progress(client):
    layers = "echo '4: Pulling from kafka'; echo 'a1: Pulling fs layer'; echo 'b2: Pulling fs layer'"
    client.answers(f"pull*) {layers}; sleep 1; echo 'a1: Pull complete'; echo 'b2: Pull complete'; echo done;;")
    said: list[str] = []
    docker_images.pull(client.engine, "kafka:4", said.append)
    assert said == ["Docker: fetching kafka:4", "Docker: kafka:4, 1 of 2 layers", "Docker: kafka:4, 2 of 2 layers"]


def test_a_pull_that_breaks_off_is_told_with_its_reason(client):
    client.answers("pull*) echo 'a1: Pulling fs layer'; echo 'write: no space left on device' >&2; exit 1;;")
    with pytest.raises(BrokerError, match="cannot get kafka:4: write: no space left on device"):
        docker_images.pull(client.engine, "kafka:4", print)
