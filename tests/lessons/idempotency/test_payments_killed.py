"""Lesson 09 when its broker dies in the middle of a run: the error comes to the cell, and nothing goes on."""

import contextvars
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from own_broker import alone

from labkit.base.checkpoint import checkpoint, reporting
from labkit.base.errors import BrokerError, LabError
from labkit.chaos.processes import ServiceError
from labkit.lessons import idempotency
from labkit.lessons.idempotency import kill as kill9
from labkit.lessons.idempotency.ends import race, transactions


def race_on(broker: str) -> None:
    """The race reports no progress: its handler does, at the fifth of 50 payments."""
    mine = contextvars.copy_context()  # the race's own threads have none
    handled: list[str] = []

    def handler(books: Any, event: Any, meet: Callable[[], object]) -> None:
        handled.append(event.id)
        if len(handled) == 10:
            mine.run(checkpoint, 0.1)
        race.unique_key(books, event, meet)

    race.run(handler, broker)


RUNS: list[tuple[str, type[LabError], Callable[..., Any]]] = [
    ("kafka", BrokerError, partial(idempotency.run, "inbox, same transaction", "kafka")),
    ("rabbitmq", BrokerError, partial(idempotency.run, "inbox, same transaction", "rabbitmq")),
    ("kafka", BrokerError, transactions.run),
    ("kafka", BrokerError, partial(race_on, "kafka")),
    ("rabbitmq", BrokerError, partial(race_on, "rabbitmq")),
    ("kafka", ServiceError, partial(kill9.run, "work first", "kafka")),
    ("rabbitmq", ServiceError, partial(kill9.run, "work first", "rabbitmq")),
]


@pytest.mark.parametrize(("broker", "kind", "run"), RUNS)
def test_a_broker_killed_in_the_middle_of_a_run_is_an_error_with_a_cure(
    broker: str, kind: type[LabError], run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with alone(broker, tmp_path, monkeypatch) as kill:
        threads = threading.active_count()
        with pytest.raises(kind) as error, reporting(kill):
            run()
        assert error.value.cure
        assert threading.active_count() <= threads + 1
