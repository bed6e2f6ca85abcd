"""What can be set in an experiment is written down once, and checked, called, shown and stamped from there."""

import copy
import functools
import inspect
import pickle
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import pandas as pd
import pytest

from labkit.base.errors import LabError, SettingError
from labkit.harness.kinds import Broker, BrokerOrBoth, Each, Flag, Kind, Number, OneOf, Seed, Whole
from labkit.harness.settings import Settings, declared, experiment, takes
from labkit.measure.result import Result


def result(**about: str) -> Result:
    return Result("done", pd.DataFrame(), provenance=about)


@experiment
def run(
    broker: Broker = "kafka",
    partitions: Annotated[int, Whole(1, 64, control=(1, 8))] = 4,
    loss: Annotated[float, Number(0, 1, unit="%")] = 0.0,
    delay_ms: Annotated[float, Number(0)] = 100.0,
    keyed: Annotated[bool, Flag()] = True,
    kinds: Annotated[Sequence[str], Each(OneOf(("queue", "stream")))] = ("queue",),
    mode: Annotated[str, OneOf({"a": "The A", "b": "The B"})] = "b",
    seed: Seed = 1,
    note: str = "",
) -> Result:
    """Toy."""
    return result(broker=broker, **({"settings": note} if note else {}))


@dataclass(frozen=True)
class Setting(Settings):
    broker: Broker = "kafka"
    workers: Annotated[int, Whole(1, 8, label="workers each")] = 1
    retry: Annotated[str, OneOf(("in place", "requeue"))] = "in place"

    def together(self) -> None:
        if self.broker == "kafka" and self.retry == "requeue":
            raise SettingError("Kafka takes nothing back.", 'choose retry="in place"')

    @property
    def doubled(self) -> int:
        return 2 * self.workers


@takes(Setting)
def run_with(setting: Setting) -> Result:
    """Another toy."""
    return result(doubled=str(setting.doubled))


# --- what cannot be


@pytest.mark.parametrize(
    ("wrong", "what", "cure"),
    [
        ({"broker": "kaffka"}, "broker is 'kaffka'", "take one of: kafka; rabbitmq"),
        ({"broker": ["kafka"]}, "broker is ['kafka']", "take one of"),
        ({"partitions": 0}, "partitions is 0", "from 1 to 64"),
        ({"partitions": 65}, "partitions is 65", "from 1 to 64"),
        ({"partitions": 2.0}, "partitions is 2.0: it must be a whole number", "partitions=1, for example"),
        ({"partitions": True}, "partitions is True: it must be a whole number", "partitions=1"),
        ({"loss": 1.5}, "loss is 1.5", "from 0 to 1; 0.1 is 10 %"),
        ({"loss": float("nan")}, "loss is nan", "from 0 to 1"),
        ({"loss": "0.5"}, "loss is '0.5'", "from 0 to 1"),
        ({"loss": False}, "loss is False", "from 0 to 1"),
        ({"delay_ms": -1}, "delay_ms is -1", "give a number of at least 0"),
        ({"delay_ms": float("inf")}, "delay_ms is inf", "of at least 0"),
        ({"keyed": 1}, "keyed is 1", "keyed=True or keyed=False"),
        ({"kinds": "queue"}, "kinds is 'queue': it must be a list", "kinds=[…]"),
        ({"kinds": []}, "kinds is []", "kinds=[…]"),
        ({"kinds": ["queue", "topic"]}, "kinds[1] is 'topic'", "take one of: queue; stream"),
        ({"seed": "1"}, "seed is '1': it must be a whole number", "seed=1"),
        ({"partition": 3}, "There is no setting 'partition'", "did you mean partitions?"),
        ({"zzz": 3}, "There is no setting 'zzz'", "take one of: broker, partitions"),
    ],
)
def test_what_cannot_be_set_is_refused_with_its_name_and_what_would_do(
    wrong: dict[str, Any], what: str, cure: str
) -> None:
    with pytest.raises(SettingError) as caught:
        run(**wrong)
    assert what in caught.value.what
    assert cure in caught.value.cure


def test_bounds_belong_to_what_may_be_set() -> None:
    for good in ({"partitions": 1}, {"partitions": 64}, {"loss": 0}, {"loss": 1}, {"seed": -3}, {"keyed": False}):
        run(**good)  # type: ignore[arg-type]


def test_whole_numbers_may_be_bound_on_one_side_alone() -> None:
    with pytest.raises(SettingError, match="of at least 1"):
        Whole(1).check("n", 0)
    with pytest.raises(SettingError, match="of at most 9"):
        Whole(high=9).check("n", 10)


def test_nothing_runs_when_a_setting_is_refused() -> None:
    ran: list[int] = []

    @experiment
    def toy(n: Annotated[int, Whole(1)] = 1) -> None:
        ran.append(n)

    with pytest.raises(SettingError):
        toy(0)
    toy(2)
    assert ran == [2]


def test_a_default_that_cannot_be_is_refused_when_it_is_used() -> None:
    @experiment
    def toy(n: Annotated[int, Whole(1)] = 0) -> None: ...

    with pytest.raises(SettingError, match="n is 0"):
        toy()


def test_an_experiment_that_declares_nothing_is_a_mistake_of_its_author() -> None:
    with pytest.raises(TypeError, match="declares no setting"):
        experiment(lambda n=1: n)


def test_further_names_are_for_the_run_where_it_takes_any() -> None:
    @experiment
    def toy(n: Seed = 1, **more: int) -> int:
        return n + sum(more.values())

    assert toy(n=1, other=2) == 3


# --- what can be set, seen from outside


def test_a_signature_names_plain_types_and_defaults() -> None:
    told = "(broker: str = 'kafka', workers: int = 1, retry: str = 'in place') -> labkit.measure.result.Result"
    assert str(inspect.signature(run_with)) == told
    assert str(inspect.signature(run)).startswith("(broker: str = 'kafka', partitions: int = 4, loss: float = 0.0")
    assert (run.__name__, run.__doc__, run_with.__doc__) == ("run", "Toy.", "Another toy.")


def test_the_kinds_of_a_run_are_told_but_for_those_that_are_fixed() -> None:
    assert list(declared(run)) == ["broker", "partitions", "loss", "delay_ms", "keyed", "kinds", "mode", "seed"]
    assert list(declared(run_with)) == ["broker", "workers", "retry"]
    fixed = functools.partial(run, "rabbitmq", seed=2)
    assert list(declared(fixed)) == ["partitions", "loss", "delay_ms", "keyed", "kinds", "mode"]
    assert not declared(len)


def test_a_run_that_wraps_another_can_be_set_as_that_one() -> None:
    @functools.wraps(run)
    def louder(**settings: Any) -> Result:
        return run(**settings)

    assert declared(louder) == declared(run)
    assert inspect.signature(louder) == inspect.signature(run)


def test_the_processes_of_a_run_load_no_pandas_with_its_settings() -> None:
    code = "import sys, labkit.harness.settings; print([m for m in ('pandas', 'matplotlib') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


# --- settings that are handed on


def test_settings_are_checked_when_they_are_made_and_when_one_is_changed() -> None:
    with pytest.raises(SettingError, match="workers is 9"):
        Setting(workers=9)
    with pytest.raises(SettingError, match="workers is 0"):
        replace(Setting(), workers=0)
    with pytest.raises(SettingError, match="no setting 'worker'"):
        Setting.of(worker=2)
    with pytest.raises(SettingError, match="no setting 'worker'"):
        run_with(worker=2)  # type: ignore[call-arg]
    assert Setting.of(workers=2) == Setting("kafka", 2)


def test_what_is_fine_alone_can_be_refused_together() -> None:
    with pytest.raises(SettingError, match="takes nothing back"):
        run_with(retry="requeue")
    assert run_with("rabbitmq", retry="requeue").provenance["doubled"] == "2"


def test_settings_can_be_copied_and_sent_to_a_process() -> None:
    assert copy.copy(Setting(workers=3)) == pickle.loads(pickle.dumps(Setting(workers=3))) == Setting(workers=3)


# --- the stamp


def test_what_differs_from_the_default_stands_in_the_provenance() -> None:
    assert run().provenance == {"broker": "kafka"}
    told = run(
        "rabbitmq", loss=0.05, mode="a", delay_ms=1500, keyed=False, kinds=["queue", "stream"], partitions=4
    ).stamp()
    assert told == "rabbitmq · loss 5 % · delay 1500 ms · keyed no · kinds queue, stream · mode The A"
    assert run_with(workers=3).provenance == {"doubled": "6", "settings": "workers each 3"}


def test_a_list_with_what_the_default_has_is_no_difference() -> None:
    assert "settings" not in run(kinds=["queue"]).provenance


def test_a_run_with_words_of_its_own_keeps_them() -> None:
    assert run("rabbitmq", note="as it was").provenance["settings"] == "as it was"


def test_settings_may_stamp_in_their_own_way() -> None:
    @dataclass(frozen=True)
    class Own(Setting):
        def stamp(self) -> str:
            return f"{self.workers} at work"

    @takes(Own)
    def toy(setting: Own) -> Result:
        return result()

    assert toy().provenance == {"settings": "1 at work"}


def test_what_is_no_result_is_returned_as_it_is() -> None:
    @experiment
    def toy(n: Seed = 1) -> Any:
        return n

    assert toy(2) == 2


# --- controls


@pytest.mark.parametrize(
    ("kind", "default", "choice"),
    [
        (OneOf(("a", "b")), "a", ["a", "b"]),
        (OneOf({"a": "The A"}), "a", {"The A": "a"}),
        (Whole(1, 8), 4, (1, 8)),
        (Whole(1), 4, 4),
        (Whole(1, 64, control=[1, 8]), 1, [1, 8]),
        (Number(0, 1), 0, (0.0, 1.0)),
        (Number(0), 3, 3.0),
        (Flag(), True, True),
        (Flag(), False, False),
        (Flag(control=False), True, None),
        (Each(OneOf("ab")), ["a"], None),
        (Each(OneOf("ab"), control={"both": ("a", "b")}), ["a"], {"both": ("a", "b")}),
    ],
)
def test_a_kind_says_what_its_control_is_made_from(kind: Kind, default: Any, choice: Any) -> None:
    assert kind.choice(default) == choice


def test_a_setting_is_called_by_its_label_or_by_its_name() -> None:
    assert str(Whole(label="workers each").named("workers")) == "workers each"
    assert str(Number().named("delay_ms")) == "delay (ms)"
    assert str(Number(unit="events/s").named("rate")) == "rate (events/s)"
    assert Number(unit="%").said("loss", 0.25) == "loss 25 %"


def test_which_brokers_has_three_answers() -> None:
    with pytest.raises(LabError, match="both; kafka; rabbitmq"):
        BrokerOrBoth.__metadata__[0].check("brokers", "all")  # type: ignore[attr-defined]
