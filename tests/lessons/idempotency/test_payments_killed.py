"""Lesson 09 when its broker dies in the middle of a run: the error comes to the cell, and nothing goes on."""

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from own_broker import alone

from labkit.base.checkpoint import reporting
from labkit.base.errors import BrokerError
from labkit.lessons import idempotency
from labkit.lessons.idempotency import kill as kill9
from labkit.lessons.idempotency.limits import race, transactions

RUNS: list[tuple[str, Callable[..., Any]]] = [
    ("kafka", partial(idempotency.run, "inbox, same transaction", "kafka")),
    ("rabbitmq", partial(idempotency.run, "inbox, same transaction", "rabbitmq")),
    ("kafka", transactions.run),
    ("kafka", partial(race.run, "unique key", "kafka")),
    ("rabbitmq", partial(race.run, "unique key", "rabbitmq")),
    ("kafka", partial(kill9.run, "work first", "kafka")),
    ("rabbitmq", partial(kill9.run, "work first", "rabbitmq")),
]


@pytest.mark.parametrize(("broker", "run"), RUNS)
@pytest.mark.usefixtures("impatient")
def test_a_broker_killed_in_the_middle_of_a_run_is_an_error_with_a_cure(
    broker: str, run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with alone(broker, tmp_path, monkeypatch) as kill:
        threads = threading.active_count()
        with pytest.raises(BrokerError) as error, reporting(kill):
            run()
        assert error.value.cure
        assert threading.active_count() <= threads + 1
