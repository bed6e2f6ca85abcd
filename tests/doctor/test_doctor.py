"""The doctor: each line says how it is, and names a cure where one is needed."""

import json
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata

import pytest
from labs import OwnLab

from labkit import lab
from labkit.base import settings
from labkit.doctor import machine, messages, report, widget
from labkit.doctor.finding import BAD, OK, WARN, Finding


@pytest.fixture
def here():
    return settings.read()


def test_on_the_lab_of_these_tests_all_is_well_and_one_line_says_so(here):
    lab.start()
    found = [machine.python(), machine.packages(), *messages.there_and_back()]
    assert [finding.level for finding in found] == [OK] * 4, found
    line = report.one_line(found)
    assert "kafka" in line and "rabbitmq" in line and line.endswith("all well") and "\n" not in line
    assert lab.kafka_config()["bootstrap.servers"] not in line


def test_the_command_speaks_json_and_starts_nothing_when_it_is_to_be_quick(tmp_path):
    own = OwnLab(tmp_path)
    answer = own.labkit("doctor", "--quick", "--json")
    told = json.loads(answer.stdout)
    assert {"Python", "Java", "memory", "disk", "ports"} <= {finding["name"] for finding in told["findings"]}
    assert own.processes() == []


def test_the_doctor_stops_the_lab_that_it_started(tmp_path):
    own = OwnLab(tmp_path, LABKIT_CHROMIUM="true")  # a program that is no browser: the widget is for another test
    answer = own.labkit("doctor")
    assert "started for this look" in answer.stdout, answer.stdout + answer.stderr
    assert "a message through kafka: there and back" in answer.stdout
    assert own.status()["phase"] == "stopped" and own.processes() == []


def test_a_folder_that_cannot_be_written_is_bad_and_ends_with_1():
    from pathlib import Path

    answer = OwnLab(Path("/proc/lab")).labkit("doctor", "--quick")
    assert answer.returncode == 1
    assert "bad  disk" in answer.stdout and "cure: set LABKIT_HOME" in answer.stdout


def test_a_missing_package_and_an_old_one_are_named(monkeypatch):
    real = metadata.version

    def version(name):
        if name == "pika":
            raise metadata.PackageNotFoundError(name)
        return "0.1" if name == "pandas" else real(name)

    monkeypatch.setattr(metadata, "version", version)
    finding = machine.packages()
    assert finding.level == BAD and finding.cure
    assert "pika is missing" in finding.seen and "pandas 0.1" in finding.seen


def test_a_broker_that_does_not_answer_is_bad_and_the_other_is_still_tried(monkeypatch):
    lab.start()
    monkeypatch.setattr(messages, "TIMEOUT_S", 1.0)
    monkeypatch.setattr(lab, "kafka_config", lambda: {"bootstrap.servers": "127.0.0.1:1"})
    kafka, rabbitmq = messages.there_and_back()
    assert (kafka.level, rabbitmq.level) == (BAD, OK)
    assert "logs kafka" in kafka.cure


def test_little_memory_is_a_warning_with_a_cure(monkeypatch):
    monkeypatch.setattr(machine, "ENOUGH_MEMORY", 1e15)
    finding = machine.memory()
    assert finding.level == WARN and "close programs" in finding.cure


def test_what_is_wrong_stands_in_the_line_for_the_instructor():
    line = report.one_line([Finding("disk", BAD, "full", "free some", "disk 0G"), Finding("ports", OK, "fine")])
    assert "bad: disk" in line and "all well" not in line


@pytest.mark.browser
def test_a_slider_moved_in_a_real_browser_is_seen_by_python(here):
    with ThreadPoolExecutor(1) as beside:  # the tests' own browser is open in this thread, and allows no second one
        finding = beside.submit(widget.round_trip, here).result()
    assert finding.level == OK and "Python answered" in finding.seen, finding
