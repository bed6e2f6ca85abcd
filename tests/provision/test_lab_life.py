"""The lab's life: it starts, is shared, is killed in every way, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
from labs import OwnLab

from labkit.base import settings, wait
from labkit.provision import holder

HOLD = "from labkit import lab; lab.start(); print('ready', flush=True); input()"


@pytest.fixture
def own(tmp_path):
    lab = OwnLab(tmp_path / "a lab")  # with a space: folders of learners have them
    yield lab
    lab.labkit("down")
    for process in lab.processes():
        process.kill()


def pids(lab, name):
    return [pid for broker in lab.status()["brokers"] if broker["broker"] == name for pid in broker["pids"]]


def test_up_status_and_down_leave_no_process_and_no_port(own):
    up = own.labkit("up")
    assert up.returncode == 0, up.stderr
    assert "Kafka" in up.stdout and "RabbitMQ" in up.stdout
    status = own.status()
    assert status["phase"] == "ready" and status["pinned"]
    listening = own.listening()
    assert {ip for ip, _ in listening} <= {"127.0.0.1", "::1"}
    assert all(port < 32_768 for _, port in listening)
    again = own.labkit("up")
    assert again.returncode == 0 and own.status()["id"] == status["id"], "a second `up` joins the first"
    down = own.labkit("down")
    assert down.returncode == 0, down.stderr
    own.assert_nothing_left(listening, within_s=2)
    assert not list((own.home / "run").iterdir()), "the brokers' data is removed"


def test_two_ups_at_once_share_one_lab(own):
    both = [
        subprocess.Popen([sys.executable, "-m", "labkit", "up"], env=own.env, stdout=subprocess.PIPE) for _ in range(2)
    ]
    assert [process.wait(120) for process in both] == [0, 0]
    supervisors = [p for p in own.processes() if "labkit.provision.supervisor" in p.cmdline()]
    assert len(supervisors) == 1


def test_down_when_nothing_runs_says_so(own):
    down = own.labkit("down")
    assert down.returncode == 0
    assert "nothing to stop" in down.stdout
    assert own.labkit("status").returncode == 3


def test_a_lab_that_is_stopping_is_waited_for_and_another_is_started(own):
    assert own.labkit("up").returncode == 0
    first, heard = own.status(), []
    down = subprocess.Popen([sys.executable, "-m", "labkit", "down"], env=own.env, stdout=subprocess.DEVNULL)
    wait.until(lambda: (holder.ask("status", own.home) or {}).get("phase") == "stopping", 20, "the lab is stopping", 0)
    found = settings.read({name: value for name, value in own.env.items() if name.startswith("LABKIT_")})
    hold = holder.start(None, heard.append, "a test", found)
    assert "stopping here" in heard[0]
    assert down.wait(60) == 0
    assert hold.alive() and own.status()["id"] != first["id"]
    hold.close()


def test_a_killed_notebook_lets_go_and_the_lab_stops_itself(tmp_path):
    own = OwnLab(tmp_path, LABKIT_GRACE_S="1")
    kernel = own.python(HOLD)
    assert kernel.stdout.readline().strip() == "ready"
    listening = own.listening()
    assert [user["who"].startswith("-c") for user in own.status()["holders"]] == [True]
    kernel.kill()
    kernel.wait()
    own.assert_nothing_left(listening)


def test_a_killed_supervisor_takes_everything_along_and_the_next_start_is_clean(own):
    kernel = own.python(
        HOLD + "; print(lab._hold.alive(), flush=True); lab.start(); print('again', flush=True); input()"
    )
    assert kernel.stdout.readline().strip() == "ready"
    listening, first = own.listening(), own.status()
    os.kill(first["pid"], signal.SIGKILL)
    wait.until(lambda: len(own.processes()) <= 1, 15, "only the notebook is left")  # it lives on, its brokers do not
    assert (own.home / "lab.json").exists(), "the crash has left its state file"
    kernel.stdin.write("\n")
    kernel.stdin.flush()
    assert kernel.stdout.readline().strip() == "False"
    assert kernel.stdout.readline().strip() == "again"
    second = own.status()
    assert second["id"] != first["id"] and second["phase"] == "ready"
    assert [p.name for p in (own.home / "run").iterdir()] == [second["id"]], "the crash's data is gone"
    kernel.kill()
    kernel.wait()
    listening += own.listening()
    own.labkit("down")
    own.assert_nothing_left(listening)


def test_a_killed_broker_is_started_again_and_keeps_what_it_acknowledged(own):
    code = """
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic
import pika
from labkit import lab
lab.start()
admin = AdminClient(lab.kafka_config())
admin.create_topics([NewTopic("kept", 1, 1)])["kept"].result()
producer = Producer(lab.kafka_config())
for i in range(100):
    producer.produce("kept", str(i).encode())
assert producer.flush(10) == 0
channel = pika.BlockingConnection(lab.rabbitmq_parameters()).channel()
channel.queue_declare("kept", durable=True)
channel.confirm_delivery()
for i in range(100):
    channel.basic_publish("", "kept", str(i).encode(), pika.BasicProperties(delivery_mode=2))
print("ready", flush=True); input()
lab.start()
consumer = Consumer({**lab.kafka_config(), "group.id": "g", "auto.offset.reset": "earliest"})
consumer.subscribe(["kept"])
got = []
while len(got) < 100:
    got += [m.value() for m in consumer.consume(100, 1) if not m.error()]
consumer.close()
channel = pika.BlockingConnection(lab.rabbitmq_parameters()).channel()
print(len(got), channel.queue_declare("kept", passive=True).method.message_count, flush=True)
"""
    user = own.python(code)
    assert user.stdout.readline().strip() == "ready"
    for name in ("kafka", "rabbitmq"):
        victim = pids(own, name)[0]
        os.kill(victim, signal.SIGKILL)
        psutil.wait_procs([psutil.Process(victim)] if psutil.pid_exists(victim) else [], timeout=5)
    wait.until(lambda: not any(b["alive"] for b in own.status()["brokers"]), 10, "both are seen to be dead")
    user.stdin.write("\n")
    user.stdin.flush()
    assert user.stdout.readline().split() == ["100", "100"]
    assert user.wait(10) == 0


def test_two_labs_do_not_touch_each_other(own, tmp_path):
    other = OwnLab(tmp_path / "other")
    try:
        for lab in (own, other):
            assert lab.labkit("up").returncode == 0
        mine, theirs = own.listening(), other.listening()
        assert mine and theirs and not set(mine) & set(theirs)
        other.labkit("down")
        other.assert_nothing_left(theirs)
        assert own.status()["phase"] == "ready"
    finally:
        other.labkit("down")


def test_another_number_of_brokers_than_the_running_lab_has_is_refused(own):
    assert own.labkit("up").returncode == 0
    answer = own.labkit("up", "--kafka-brokers", "3")
    assert answer.returncode == 2
    assert "down" in answer.stderr and "Traceback" not in answer.stderr


def test_three_kafka_brokers_and_three_rabbitmq_nodes_on_request(own):
    assert own.labkit("up", "--kafka-brokers", "3", "--rabbitmq-nodes", "3").returncode == 0
    status = own.status()
    counts = {broker["broker"]: len(broker["address"].split(",")) for broker in status["brokers"]}
    assert counts == {"kafka": 3, "rabbitmq": 3}
    listening = own.listening()
    assert {ip for ip, _ in listening} <= {"127.0.0.1", "::1"}
    own.labkit("down")
    own.assert_nothing_left(listening)


def test_the_embedded_broker_is_named_a_stand_in(own):
    up = own.labkit("up", "--embedded")
    assert up.returncode == 0, up.stderr
    assert "stand-in for Kafka" in up.stdout


def open_jupyterlab(own):
    """`python -m labkit open`, once JupyterLab answers."""
    argv = [sys.executable, "-u", "-m", "labkit", "open", "pyproject.toml", "--no-browser"]
    opened = subprocess.Popen(argv, env=own.env, stdout=subprocess.PIPE, text=True)
    for line in opened.stdout:
        if line.startswith("JupyterLab:"):
            break
    return opened


def test_killing_open_takes_jupyterlab_along(tmp_path):
    own = OwnLab(tmp_path, LABKIT_GRACE_S="1")
    opened = open_jupyterlab(own)
    listening = own.listening()
    assert len(listening) >= 4
    opened.kill()
    opened.wait()
    own.assert_nothing_left(listening)


def test_killing_jupyterlab_ends_open_and_the_lab(own):
    opened = open_jupyterlab(own)
    listening = own.listening()
    server = [p for p in own.processes() if "jupyterlab" in p.cmdline() and "guardian.py" not in " ".join(p.cmdline())]
    assert len(server) == 1
    server[0].kill()
    assert opened.wait(30) == 0
    own.assert_nothing_left(listening)


def test_down_stops_a_lab_that_is_still_starting(own):
    up = subprocess.Popen(
        [sys.executable, "-m", "labkit", "up"], env=own.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait.until(lambda: own.status()["phase"] == "starting", 20, "the lab is starting", every_s=0.001)
    assert own.labkit("down").returncode == 0
    assert up.wait(20) in (3, 4)
    assert "stopping" in up.stderr.read()
    wait.until(lambda: not own.processes(), 15, "nothing is left")


def test_a_state_file_of_yesterday_does_not_mislead(own):
    """Its port may be another program's by now, and its process id too."""
    import json
    import socket

    own.home.mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        stale = {"id": "0", "pid": os.getpid(), "port": stranger.getsockname()[1], "token": "t"}
        (own.home / "lab.json").write_text(json.dumps(stale))
        started = time.monotonic()
        assert own.labkit("status").returncode == 3
        assert time.monotonic() - started < 30, "it does not hang on a stranger who says nothing"
        assert own.labkit("up").returncode == 0
    assert psutil.pid_exists(os.getpid())
