"""Lesson 09 when its broker dies in the middle of a run: the error comes to the cell, and nothing goes on."""

import threading
from collections.abc import Callable
from pathlib import Path

import pika
import psutil
import pytest

from labkit import lab
from labkit.base import settings
from labkit.base.errors import BrokerError
from labkit.experiments import payments
from labkit.provision import native_kafka, native_rabbitmq
from labkit.provision.model import Place, Started

STARTS: dict[str, Callable[..., Started]] = {"kafka": native_kafka.start, "rabbitmq": native_rabbitmq.start}


@pytest.mark.parametrize("broker", ["kafka", "rabbitmq"])
def test_a_broker_killed_in_the_middle_of_a_run_is_an_error_with_a_cure(
    broker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = settings.read({"LABKIT_HOME": str(tmp_path), "LABKIT_CACHE": str(settings.read().cache)})
    own = STARTS[broker](Place(found, tmp_path / "run"), print)
    monkeypatch.setattr(lab, "running", lambda: [own.running])
    monkeypatch.setattr(lab, "kafka_config", lambda: dict(own.running.client))
    monkeypatch.setattr(lab, "rabbitmq_parameters", lambda: pika.URLParameters(own.running.client["url"]))
    threads = threading.active_count()

    def kill(done: float | None, _: str) -> None:
        if done and own.alive():
            for process in own.processes:
                psutil.Process(process.pid).kill()

    try:
        with pytest.raises(BrokerError) as error:
            payments.run("inbox, same transaction", broker, progress=kill)
        assert error.value.cure
        assert threading.active_count() <= threads + 1
    finally:
        own.stop()
