"""A panel of an experiment that says what can be set in it, how far it is, and that it can be stopped."""

import functools
import threading
from concurrent.futures import CancelledError
from typing import Annotated

import pandas as pd
import pytest

from labkit.base import wait
from labkit.base.checkpoint import checkpoint, reporting
from labkit.base.errors import SettingError
from labkit.harness.kinds import Broker, Flag, Number, OneOf, Seed, Whole
from labkit.harness.settings import experiment
from labkit.measure.result import Result
from labkit.widgets.controls import PanelError
from labkit.widgets.panel import Panel, panel


@experiment
def run(
    broker: Broker = "rabbitmq",
    partitions: Annotated[int, Whole(1, 64, label="partitions, or queues", control=(1, 8))] = 4,
    loss: Annotated[float, Number(0, 1, unit="%", control=(0.0, 0.2, 0.05))] = 0.0,
    delay_ms: Annotated[float, Number(0, 500)] = 100.0,
    workers: Annotated[int, Whole(1, 64, control=[4, 16, 64])] = 16,
    keyed: Annotated[bool, Flag()] = True,
    orders: Annotated[int, Whole(1, 5000, control=False)] = 100,
    seed: Seed = 1,
    size: int = 3,
) -> Result:
    """A toy."""
    return Result(f"{broker}, {partitions}, {orders}, {size}", pd.DataFrame())


def status(found: Panel) -> str:
    return str(found._status.value)


def waits_for_ever() -> str:
    wait.until(lambda: False, 60, "what never comes true")
    return "late"


# --- controls


def test_a_panel_has_the_controls_that_its_experiment_declares() -> None:
    made = panel(run)
    told = {name: (type(one).__name__, one.description, one.value) for name, one in made.controls.items()}
    assert told == {
        "broker": ("Dropdown", "broker", "rabbitmq"),
        "partitions": ("IntSlider", "partitions, or queues", 4),
        "loss": ("FloatSlider", "loss", 0.0),
        "delay_ms": ("FloatSlider", "delay (ms)", 100.0),
        "workers": ("Dropdown", "workers", 16),
        "keyed": ("Checkbox", "keyed", True),
        "seed": ("IntText", "seed", 1),
    }
    assert [words for words, _ in made.controls["broker"].options] == ["Kafka", "RabbitMQ"]
    assert (made.controls["partitions"].min, made.controls["partitions"].max) == (1, 8)
    assert made.controls["loss"].readout_format == ".0%"
    assert made.run().sentence == "rabbitmq, 4, 100, 3"


def test_a_control_that_is_asked_for_stands_in_place_of_the_declared_one() -> None:
    made = panel(run, partitions=[1, 4], size=(1, 5), labels={"seed": "dice"})
    assert list(made.controls) == ["broker", "partitions", "loss", "delay_ms", "workers", "keyed", "seed", "size"]
    shown = made.controls["partitions"]
    assert (type(shown).__name__, shown.description, shown.value) == ("Dropdown", "partitions, or queues", 4)
    assert made.controls["seed"].description == "dice"


def test_what_is_fixed_has_no_control() -> None:
    made = panel(functools.partial(run, broker="kafka", seed=2))
    assert list(made.controls) == ["partitions", "loss", "delay_ms", "workers", "keyed"]
    assert made.run().sentence.startswith("kafka")


def test_an_unknown_control_is_still_refused() -> None:
    with pytest.raises(PanelError, match="no speed in this experiment"):
        panel(run, speed=(0, 1))


def test_a_value_that_cannot_be_is_shown_with_its_cure() -> None:
    @experiment
    def toy(mode: Annotated[str, OneOf(("fast", "safe"))] = "fast") -> str:
        return mode

    made = panel(toy, mode="anything")
    with pytest.raises(SettingError, match="mode is 'anything'"):
        made.run()
    assert "take one of: fast; safe" in made._out.value


# --- checkpoints


def test_what_a_checkpoint_says_is_shown_with_a_bar() -> None:
    said, go_on = threading.Event(), threading.Event()

    def toy() -> str:
        checkpoint(0.5, "half of <it>")
        said.set()
        assert go_on.wait(30)
        checkpoint(0.75)
        return "done"

    made = panel(toy)
    made.start()
    assert said.wait(10)
    wait.until(lambda: "half of &lt;it&gt;" in status(made), 10, "the words are there")
    assert 'aria-valuenow="50"' in status(made)
    go_on.set()
    made.wait()
    assert made.result == "done"


def test_a_run_that_waits_for_a_fact_is_stopped_by_cancel() -> None:
    begun = threading.Event()

    def toy() -> str:
        begun.set()
        return waits_for_ever()

    made = panel(toy)
    made.start()
    assert begun.wait(10)
    made.cancel()
    made.wait(20)
    assert isinstance(made.error, CancelledError)
    assert "Cancelled" in status(made)


def test_cancel_says_stopping_to_a_run_that_was_seen_to_look() -> None:
    told, looked = [], threading.Event()

    def toy() -> str:
        checkpoint()
        looked.set()
        try:
            return waits_for_ever()
        finally:
            told.append(status(made))

    made = panel(toy)
    made.start()
    assert looked.wait(10)
    made.cancel()
    made.wait(20)
    assert "Stopping" in told[0]


def test_a_panel_that_runs_inside_a_run_is_cancelled_with_it() -> None:
    cancelled = threading.Event()
    cancelled.set()
    with reporting(cancelled=cancelled), pytest.raises(CancelledError):
        panel(waits_for_ever).run()


def test_a_panel_listens_to_its_own_run_alone() -> None:
    made = panel(run)
    made.run()
    before = status(made)
    checkpoint(0.5, "of somebody else")
    assert status(made) == before
