"""Lesson 09 when its broker dies in the middle of a run: the error comes to the cell, and nothing goes on."""

import threading
from pathlib import Path

import pytest
from own_broker import alone

from labkit.base.errors import BrokerError
from labkit.experiments import payments


@pytest.mark.parametrize("broker", ["kafka", "rabbitmq"])
def test_a_broker_killed_in_the_middle_of_a_run_is_an_error_with_a_cure(
    broker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with alone(broker, tmp_path, monkeypatch) as kill:
        threads = threading.active_count()
        with pytest.raises(BrokerError) as error:
            payments.run("inbox, same transaction", broker, progress=kill)
        assert error.value.cure
        assert threading.active_count() <= threads + 1
