"""The files in docker/: what Docker is told, and that native brokers are told the same."""

import re
from pathlib import Path

import pytest
import yaml

from labkit.base import settings
from labkit.provision import docker, kafka_jars, native_kafka
from labkit.provision.docker_containers import Project
from labkit.provision.model import Place, docker_folder

FILES = ("compose.yml", "cluster.yml")
SERVICES = {
    "compose.yml": {"kafka", "rabbitmq"},
    "cluster.yml": {"kafka1", "kafka2", "kafka3", "rabbitmq1", "rabbitmq2", "rabbitmq3"},
}


def text(name: str) -> str:
    return (docker_folder() / name).read_text()


def services(name: str) -> dict[str, dict]:
    return yaml.safe_load(text(name))["services"]


def properties(name: str) -> dict[str, str]:
    lines = [line for line in text(name).splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def every_service() -> list[tuple[str, str]]:
    return [(name, service) for name in FILES for service in sorted(SERVICES[name])]


@pytest.mark.parametrize("name", FILES)
def test_a_compose_file_has_its_services(name):
    assert set(services(name)) == SERVICES[name]


@pytest.mark.parametrize(("name", "service"), every_service())
def test_every_port_is_published_on_this_machine_only(name, service):
    ports = services(name)[service]["ports"]
    assert len(ports) == (1 if service.startswith("kafka") else 3)
    for port in ports:
        assert re.fullmatch(r"127\.0\.0\.1:\$\{COURSE_[A-Z_0-9]+:-\d+\}:\d+", port), port


@pytest.mark.parametrize("name", FILES)
def test_no_two_services_publish_the_same_port(name):
    published = [port.rsplit(":", 1)[0] for service in services(name).values() for port in service["ports"]]
    assert len(set(published)) == len(published)
    defaults = [re.search(r":-(\d+)", port)[1] for port in published]
    assert len(set(defaults)) == len(defaults)
    assert max(map(int, defaults)) < 32_768, "a port above is lent to other programs' connections"


@pytest.mark.parametrize(("name", "service"), every_service())
def test_a_client_is_told_the_address_that_is_published(name, service):
    found = services(name)[service]
    variables = [re.search(r"\$\{(\w+)", port)[1] for port in found["ports"]]
    environment = found["environment"]
    if service.startswith("kafka"):
        assert f"PLAINTEXT://127.0.0.1:${{{variables[0]}:-" in environment["KAFKA_ADVERTISED_LISTENERS"]
        assert f"INTERNAL://{found['hostname']}:9094" in environment["KAFKA_ADVERTISED_LISTENERS"]
    else:
        assert f"advertised_port ${{{variables[2]}:-" in environment["RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS"]


@pytest.mark.parametrize(("name", "service"), every_service())
def test_every_image_is_official_and_pinned_to_one_version(name, service):
    image = services(name)[service]["image"]
    assert re.fullmatch(r"apache/kafka:\d+\.\d+\.\d+|rabbitmq:4\.\d+\.\d+-management", image)


def test_docker_and_native_have_the_same_kafka():
    for name in FILES:
        assert docker.image_of("kafka", docker_folder() / name) == f"apache/kafka:{kafka_jars.VERSION}"


def test_one_node_and_three_nodes_have_the_same_rabbitmq():
    assert len({docker.image_of("rabbitmq", docker_folder() / name) for name in FILES}) == 1


@pytest.mark.parametrize(("name", "service"), every_service())
def test_every_service_has_a_health_check_that_starts_no_second_virtual_machine(name, service):
    check = services(name)[service]["healthcheck"]
    port = 9092 if service.startswith("kafka") else 5672
    assert check["test"] == ["CMD", "bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{port}"]


@pytest.mark.parametrize(("name", "service"), every_service())
def test_every_mounted_file_is_there_and_is_mounted_read_only(name, service):
    mounts = services(name)[service]["volumes"]
    assert mounts
    for mount in mounts:
        assert mount["read_only"] is True
        assert mount["source"].startswith("${COURSE_SETTINGS:-.}/")
        assert (docker_folder() / mount["source"].split("/", 1)[1]).is_file()


@pytest.mark.parametrize(("name", "service"), every_service())
def test_every_container_says_whose_it_is(name, service):
    labels = services(name)[service]["labels"]
    assert labels == {"course.lab": "${COURSE_LAB:-by-hand}", "course.run": "${COURSE_RUN:-}"}


@pytest.mark.parametrize(("name", "service"), every_service())
def test_no_password_stands_in_a_compose_file(name, service):
    for key, value in services(name)[service]["environment"].items():
        if re.search("PASS|USER|COOKIE|SECRET", key):
            assert value is None or value.startswith("${"), f"{key} has its value from the shell or not at all"


def test_no_password_stands_in_the_brokers_settings():
    for file in docker_folder().rglob("*"):
        if file.suffix in (".conf", ".properties", ".env"):
            assert not re.search(r"^[^#]*(pass|secret|cookie|default_user)", file.read_text(), re.I | re.M), file


def test_the_common_settings_hold_nothing_that_depends_on_the_place():
    own = {"node.id", "listeners", "advertised.listeners", "controller.quorum.voters", "log.dirs", "log.dir"}
    assert not own & set(properties("kafka/server.properties"))
    conf = text("rabbitmq/conf.d/20-course.conf")
    assert not re.search(r"^(listeners|management|stream|load_definitions|cluster_formation)", conf, re.M)


def test_three_brokers_have_the_same_settings_in_docker_and_native():
    settings_of_three = native_kafka.cluster_settings()
    assert settings_of_three["min.insync.replicas"] == "2"
    assert len(settings_of_three) == len(properties("kafka/cluster.env"))
    for service in ("kafka1", "kafka2", "kafka3"):
        assert services("cluster.yml")[service]["env_file"] == "kafka/cluster.env"


def test_docker_overrides_no_common_setting_but_the_way_between_brokers():
    common = set(properties("kafka/server.properties"))
    for name, service in every_service():
        if service.startswith("kafka"):
            environment = services(name)[service]["environment"]
            keys = {key.removeprefix("KAFKA_").lower().replace("_", ".") for key in environment}
            assert keys & common == {"process.roles", "inter.broker.listener.name"}
            assert environment["KAFKA_PROCESS_ROLES"] == properties("kafka/server.properties")["process.roles"]


def test_every_setting_of_kafka_is_written_once():
    lines = [line.split("=")[0] for line in text("kafka/server.properties").splitlines() if "=" in line[:60]]
    keys = [line for line in lines if not line.startswith("#")]
    assert len(set(keys)) == len(keys)


def test_the_plugins_are_those_of_the_course():
    plugins = re.findall(r"\w+", text("rabbitmq/enabled_plugins"))
    assert plugins == ["rabbitmq_management", "rabbitmq_stream", "rabbitmq_consistent_hash_exchange"]
    assert text("rabbitmq/enabled_plugins").strip().endswith("].")


@pytest.mark.parametrize("name", FILES)
def test_labkit_sets_every_variable_that_a_compose_file_asks_for(name, tmp_path):
    place = Place(settings.read({"LABKIT_HOME": str(tmp_path)}), tmp_path / "run")
    count = 1 if name == "compose.yml" else 3
    given = set()
    for broker in ("kafka", "rabbitmq"):
        plan = docker._plan(broker, count, docker_folder() / name)
        environment = docker._environment(place, plan, Project.of(place, broker))
        given |= {key for key in environment if key.startswith(("COURSE_", "RABBITMQ_"))}
    asked = set(re.findall(r"\$\{(\w+)", text(name)))
    taken = {"RABBITMQ_DEFAULT_USER", "RABBITMQ_DEFAULT_PASS"}
    assert asked | taken <= given
    assert not [variable for variable in asked if variable.startswith("LABKIT_")], (
        "labkit refuses unknown LABKIT_ names"
    )


def test_the_container_can_read_the_settings_whatever_the_umask_of_the_clone(tmp_path, monkeypatch):
    clone = tmp_path / "docker"
    for file in ("kafka/server.properties", "rabbitmq/conf.d/20-course.conf", "rabbitmq/enabled_plugins"):
        (clone / file).parent.mkdir(parents=True, exist_ok=True)
        (clone / file).write_bytes((docker_folder() / file).read_bytes())
        (clone / file).chmod(0o600)
    monkeypatch.setattr(docker, "docker_folder", lambda: clone)
    place = Place(settings.read({"LABKIT_HOME": str(tmp_path)}), tmp_path / "run")
    for broker, count in (("kafka", 1), ("rabbitmq", 2)):
        copies = [path for path in docker._readable_settings(place, broker).rglob("*") if path.is_file()]
        assert len(copies) == count
        for copy in copies:
            assert copy.stat().st_mode & 0o777 == 0o644
            assert copy.read_bytes() == (clone / Path(*copy.parts[-copy_depth(copy) :])).read_bytes()


def copy_depth(path: Path) -> int:
    """How many parts of the path lie below docker/."""
    return 3 if path.parent.name == "conf.d" else 2
