"""The Docker rung on a real engine that has both images: `python -m pytest tests/docker/check_engine.py`.

Not part of `python -m labkit test`, because most machines have no engine, and a pull takes minutes: pytest does not
find this file by itself. `tests/docker/exercise.sh` starts an engine, has the images, and runs it.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from confluent_kafka.admin import AdminClient, ConfigResource
from engine_messages import a_topic, kafka_read, kafka_round, rabbitmq_round

from labkit.base import names, ports, settings
from labkit.base.errors import BrokerError
from labkit.base.wait import until
from labkit.provision import docker, docker_images
from labkit.provision.docker_containers import Project
from labkit.provision.model import Place, Started, Wanted, docker_folder

pytestmark = pytest.mark.timeout(600)
START = {"kafka": docker.start_kafka, "rabbitmq": docker.start_rabbitmq}
OWNER = """
import sys
from pathlib import Path
from labkit.base import settings
from labkit.provision import docker
from labkit.provision.model import Place, Wanted
place = Place(settings.read({"LABKIT_HOME": sys.argv[1]}), Path(sys.argv[2]), Wanted())
print("starting", flush=True)
started = [docker.start_kafka(place, lambda _: None), docker.start_rabbitmq(place, lambda _: None)]
print("ready", *(process.pid for one in started for process in one.processes[-1:]), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    found = a_place(tmp_path / "a lab", Wanted())
    yield found
    assert containers(found) == [], "a test must stop what it starts"


@pytest.fixture
def started(place: Place) -> Iterator[dict[str, Started]]:
    with running(place) as found:
        yield found


def a_place(home: Path, wanted: Wanted) -> Place:
    run = home / "run" / names.fresh("r")
    run.mkdir(parents=True)
    return Place(settings.read({"LABKIT_HOME": str(home)}), run, wanted)


@contextlib.contextmanager
def running(place: Place, *brokers: str) -> Iterator[dict[str, Started]]:
    found: dict[str, Started] = {}
    try:
        for broker in brokers or START:
            found[broker] = START[broker](place, print)
        yield found
    finally:
        for one in found.values():
            one.stop()


def containers(place: Place, form: str = "{{.Names}}") -> list[str]:
    lab = Project.of(place, "kafka").lab
    argv = ["docker", "ps", "-a", "--filter", f"label=course.lab={lab}", "--format", form]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()


def gone(place: Place) -> bool:
    return until(lambda: not containers(place), 60, "no container is left", every_s=0.5)


def test_one_of_each_carries_messages_through_its_published_port(started):
    address = started["kafka"].running.address
    assert kafka_round(address, a_topic(address), [b"one", b"two"]) == [b"one", b"two"]
    url = started["rabbitmq"].running.client["url"]
    for kind in ("classic", "quorum", "stream"):
        assert rabbitmq_round(url, kind, b"three") == b"three"


def test_the_common_settings_are_in_force(started):
    admin = AdminClient({"bootstrap.servers": started["kafka"].running.address})
    broker = ConfigResource(ConfigResource.Type.BROKER, "1")
    found = admin.describe_configs([broker])[broker].result(30)
    lines = (docker_folder() / "kafka" / "server.properties").read_text().splitlines()
    wanted = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    differ = {key for key, value in wanted.items() if found[key].value != value}
    assert differ == {"inter.broker.listener.name"}
    assert "stream" in started["rabbitmq"].running.notes


def test_ports_are_published_on_this_machine_only(place, started):
    published = ",".join(containers(place, "{{.Ports}}")).split(",")
    outside = [port.strip() for port in published if "->" in port]
    assert len(outside) == 4
    assert all(port.startswith("127.0.0.1:") for port in outside)


def test_a_broker_that_was_killed_comes_back_with_its_data(started):
    address = started["kafka"].running.address
    topic = a_topic(address)
    kafka_round(address, topic, [b"kept"])
    started["kafka"].processes[0].stop(0)
    assert not started["kafka"].alive()
    started["kafka"].revive()
    assert started["kafka"].alive()
    assert kafka_read(address, topic, 1) == [b"kept"]


def test_the_containers_output_is_in_the_labs_logs(place, started):
    log = place.logs / "rabbitmq-1.log"
    until(lambda: "Server startup complete" in log.read_text(), 30, "the log is there")
    assert started["rabbitmq"].running.client["url"].split(":")[2].split("@")[0] not in log.read_text()


@pytest.mark.parametrize("when", ["starting", "ready"])
def test_kill_9_of_the_owner_leaves_no_container(place, when):
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(place.settings.home), str(place.run)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert owner.stdout
    while when not in owner.stdout.readline():
        pass
    until(lambda: containers(place), 60, "a container is there")
    owner.kill()
    owner.wait()
    assert gone(place)


def test_what_a_crash_of_everything_has_left_is_cleared_by_the_next_start(place):
    with running(place, "kafka") as found:
        keeper = psutil.Process(found["kafka"].processes[-1].pid)
        guardian = keeper.parent()
        for process in (guardian, keeper):  # the guardian first, so that nobody is left to clear up
            process.send_signal(signal.SIGSTOP)
        for process in (guardian, keeper):
            process.kill()
        until(lambda: not guardian.is_running() or guardian.status() == psutil.STATUS_ZOMBIE, 10, "it is dead")
        assert len(containers(place)) == 1
        place.run.rename(place.run.with_name("removed by the next supervisor"))
        following = a_place(place.settings.home, Wanted())
        with running(following, "kafka"):
            assert [name for name in containers(place) if Project.of(place, "kafka").name in name] == []


def test_two_labs_do_not_touch(place, started, tmp_path):
    other = a_place(tmp_path / "another", Wanted())
    with running(other, "kafka"):
        assert len(containers(other)) == 1
    assert containers(other) == []
    assert started["kafka"].alive() and len(containers(place)) == 2


def test_three_of_each_are_clusters_and_outlive_one_death(tmp_path):
    place = a_place(tmp_path / "three", Wanted(kafka_brokers=3, rabbitmq_nodes=3))
    with running(place) as found:
        address = found["kafka"].running.address
        topic = a_topic(address, replicas=3)
        assert kafka_round(address, topic, [b"before"]) == [b"before"]
        for broker in ("kafka", "rabbitmq"):
            found[broker].processes[1].stop(0)
        assert kafka_round(address, topic, [b"after"])[0] == b"before"
        assert kafka_read(address, topic, 2) == [b"before", b"after"]
        urls = found["rabbitmq"].running.client["urls"].split()
        assert rabbitmq_round(urls[2], "quorum", b"two of three") == b"two of three"
        for broker in ("kafka", "rabbitmq"):
            found[broker].revive()
            assert found[broker].alive()
    assert containers(place) == []


def test_an_image_that_cannot_be_had_is_told_in_one_line(place):
    engine = docker_images.find()
    with pytest.raises(BrokerError) as error:
        docker_images.have(engine, ["apache/kafka:no-such-version"], print)
    assert error.value.what.startswith("Docker answers but cannot get apache/kafka:no-such-version: ")
    assert "\n" not in error.value.what


@pytest.mark.parametrize("name", ["compose.yml", "cluster.yml"])
def test_a_compose_file_works_by_hand(name):
    free = iter(ports.free(12))
    variables = [
        f"COURSE_{what}_PORT{node}"
        for what in ("KAFKA", "RABBITMQ", "MANAGEMENT", "STREAM")
        for node in ("", "_2", "_3")
    ]
    env = {**os.environ, **{variable: str(next(free)) for variable in variables}, "COURSE_ERLANG_COOKIE": "any-word"}
    compose = [*docker_images.find().compose, "-p", "course-by-hand", "-f", str(docker_folder() / name)]
    try:
        subprocess.run([*compose, "up", "-d"], env=env, check=True, capture_output=True)
        address = f"127.0.0.1:{env['COURSE_KAFKA_PORT']}"
        replicas = 1 if name == "compose.yml" else 3
        until(lambda: docker.native_kafka.answers(address, replicas), 120, "Kafka answers")
        assert kafka_round(address, a_topic(address, replicas), [b"by hand"]) == [b"by hand"]
        url = f"amqp://guest:guest@127.0.0.1:{env['COURSE_RABBITMQ_PORT']}/%2F"
        until(lambda: docker.native_rabbitmq.all_serve([url]), 120, "RabbitMQ serves")
        assert rabbitmq_round(url, "quorum", b"by hand") == b"by hand"
        until(lambda: healthy(2 * replicas), 120, "every health check is content", every_s=1)
    finally:
        subprocess.run([*compose, "down", "-v", "--timeout", "1"], env=env, check=True, capture_output=True)


def healthy(count: int) -> bool:
    argv = [
        "docker",
        "ps",
        "-q",
        "--filter",
        "label=com.docker.compose.project=course-by-hand",
        "--filter",
        "health=healthy",
    ]
    return len(subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()) == count
