"""Lesson 08 when its broker dies in the middle of a run: the error comes to the cell, and nothing goes on."""

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from own_broker import alone

from labkit.base.checkpoint import reporting
from labkit.base.errors import BrokerError
from labkit.lessons import ordering
from labkit.lessons.ordering import across, partitions_added

RUNS: list[tuple[str, Callable[..., Any]]] = [
    ("kafka", partial(ordering.run, broker="kafka", key="order", orders=1000)),
    ("rabbitmq", partial(ordering.run, broker="rabbitmq", key="order", orders=1000)),
    ("kafka", partial(partitions_added.run, read="later")),
    ("kafka", partial(partitions_added.run, read="live", orders=1000)),
    ("kafka", partial(across.run, broker="kafka", orders=1000)),
    ("rabbitmq", partial(across.run, broker="rabbitmq", orders=1000)),
]


@pytest.mark.parametrize(("broker", "run"), RUNS)
def test_a_broker_killed_in_the_middle_of_a_run_is_an_error_with_a_cure(
    broker: str, run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with alone(broker, tmp_path, monkeypatch) as kill:

        def kill_in_the_middle(done: float | None, words: str) -> None:
            kill(done, words)
            if done:
                monkeypatch.setenv("LABKIT_PATIENCE", "0.1")  # it will not come back

        threads = threading.active_count()
        with pytest.raises(BrokerError) as error, reporting(kill_in_the_middle):
            run()
        assert error.value.cure
        assert threading.active_count() <= threads + 1
