"""Lesson 09 on the real brokers: who is charged, and how often, is what the seed says. Counts only."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest
from confluent_kafka.admin import AdminClient

from labkit import lab
from labkit.base import settings
from labkit.base.checkpoint import reporting
from labkit.base.errors import BrokerError
from labkit.brokers import kafka, rabbitmq
from labkit.chaos.worker import WorkerError
from labkit.events.event import Event
from labkit.events.trace import Trace
from labkit.lessons import idempotency
from labkit.lessons.idempotency import charging, compare, crashes
from labkit.lessons.idempotency import kill as kill9
from labkit.lessons.idempotency.ledger import Ledger
from labkit.lessons.idempotency.limits import puzzle
from labkit.lessons.idempotency.real_steps import RealSteps
from labkit.lessons.idempotency.steps import STRATEGIES
from labkit.lessons.idempotency.work import Work
from labkit.measure.result import Result

pytestmark = pytest.mark.usefixtures("brokers")

N, RATE = 60, 0.2
BROKERS = ["kafka", "rabbitmq"]


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """After every test: no topic, no process, no thread and no file of a run."""
    before = {thread.ident for thread in threading.enumerate()}
    files = _files()
    children = {child.pid for child in psutil.Process().children(recursive=True)}
    yield
    assert [name for name in AdminClient(lab.kafka_config()).list_topics(timeout=10).topics if "payments" in name] == []
    assert [t.name for t in threading.enumerate() if t.ident not in before] == []
    assert [c.cmdline() for c in psutil.Process().children(recursive=True) if c.pid not in children] == []
    assert _files() == files


def _files() -> set[str]:
    return {path.name for path in (settings.read().home / "work").glob("payments*")}


def number(result: Any, name: str) -> int:
    return round(result.measures[name].value)


@pytest.fixture(scope="module")
def by_broker(brokers: None) -> dict[str, Result]:
    """Each strategy in which the seed alone decides, once on each broker that has it."""
    names = [name for name, way in STRATEGIES.items() if not way.automatic]
    return {broker: compare.run(names, N, RATE, seed=3, brokers=[broker]) for broker in BROKERS}


@pytest.mark.parametrize("broker", BROKERS)
def test_the_customers_who_are_affected_are_those_on_paper(broker: str, by_broker: dict[str, Result]) -> None:
    runs = by_broker[broker].deliveries
    assert set(runs.strategy) == {
        name for name, way in STRATEGIES.items() if not way.automatic and broker in way.brokers
    }
    assert (runs.crashes > 5).all()
    assert runs.as_predicted.all(), runs
    assert (runs.lost == runs.predicted_lost).all() and (runs.doubled == runs.predicted_doubled).all()
    assert len(by_broker[broker].anomalies) == (runs.lost + runs.doubled).sum()


@pytest.mark.parametrize("broker", BROKERS)
def test_work_first_doubles_ack_first_loses_and_the_inbox_does_neither(
    broker: str, by_broker: dict[str, Result]
) -> None:
    runs = by_broker[broker].deliveries.set_index("strategy")
    assert runs.doubled["work first"] > 0 == runs.lost["work first"]
    assert runs.lost["ack first"] > 0 == runs.doubled["ack first"]
    assert (runs.lost["inbox, same transaction"], runs.doubled["inbox, same transaction"]) == (0, 0)
    anomalies = by_broker[broker].anomalies
    assert set(anomalies.kind) == {"lost", "duplicated"}
    assert anomalies.sentence.str.contains("the consumer crashed").all()


@pytest.mark.parametrize("broker", BROKERS)
def test_a_batch_repeats_more_than_its_crashes_and_just_what_is_on_paper(broker: str) -> None:
    one, ten = (idempotency.run("work first", broker, N, RATE, seed=3, batch=batch) for batch in (1, 10))
    assert ten.deliveries.as_predicted.all()
    assert number(ten, "doubled") > number(one, "doubled")
    assert number(ten, "extra") > number(ten, "doubled")


def test_automatic_ack_loses_what_was_under_way_and_doubles_nothing() -> None:
    result = idempotency.run("automatic ack", "rabbitmq", N, RATE, seed=3)
    assert number(result, "lost") > 0 and number(result, "doubled") == 0
    assert "clock" in result.sentence and result.deliveries.as_predicted[0] is None


@pytest.mark.parametrize("broker", BROKERS)
def test_without_a_crash_everything_is_right_in_every_way(broker: str) -> None:
    names = [name for name, way in STRATEGIES.items() if broker in way.brokers and name != "automatic commit"]
    runs = compare.run(names, 5, 0.0, brokers=[broker])
    assert len(runs.deliveries) == len(names)
    assert runs.deliveries[["lost", "doubled", "crashes"]].sum().tolist() == [0, 0, 0]


@pytest.mark.parametrize("broker", BROKERS)
@pytest.mark.parametrize("strategy", ["ack first", "work first", "inbox, same transaction"])
def test_a_real_kill_affects_the_same_customers(strategy: str, broker: str) -> None:
    killed = kill9.run(strategy, broker, payments=12, crash_rate=0.3, seed=2)
    quick = idempotency.run(strategy, broker, 12, 0.3, seed=2)
    assert number(killed, "crashes") == number(quick, "crashes") >= 3
    assert killed.deliveries.as_predicted.all()
    for name in ("lost", "doubled", "extra"):
        assert number(killed, name) == number(quick, name)


def test_automatic_commit_begins_again_and_again_at_the_first_payment() -> None:
    result = kill9.run("automatic commit", payments=12, crash_rate=0.3, seed=2, interval_ms=60_000)
    assert result.deliveries.as_predicted.all()
    assert number(result, "extra") > number(result, "crashes") > 0


def test_a_consumer_process_that_dies_by_itself_is_an_error_with_its_last_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address = kill9._address
    monkeypatch.setattr(kill9, "_address", lambda broker: address(broker) | {"strategy": "hope"})
    with pytest.raises(WorkerError, match="hope"):
        kill9.run(payments=5)


@pytest.mark.parametrize("broker", BROKERS)
@pytest.mark.parametrize(
    "steps",
    [
        ["handle+remember", "publish", "ack"],
        ["handle+remember", "ack", "publish"],
        ["handle", "publish", "remember", "ack"],
        ["remember", "ack", "handle", "publish"],
    ],
)
def test_the_puzzle_runs_as_it_says_on_paper(steps: list[str], broker: str) -> None:
    real, predicted = puzzle.run(["read", *steps], broker), puzzle.predicted(["read", *steps])
    assert real.gaps == predicted.gaps
    assert bool(real) == bool(predicted) == ("handle+remember" in steps)


@pytest.mark.parametrize("broker", BROKERS)
def test_a_run_can_be_cancelled_and_says_how_far_it_is(broker: str) -> None:
    told: list[float | None] = []
    stop = threading.Event()

    def progress(done: float | None, words: str) -> None:
        told.append(done)
        stop.set()

    with pytest.raises(CancelledError), reporting(progress, stop):
        idempotency.run("work first", broker, N)
    assert told and told[0] is not None and 0 <= told[0] <= 1


class WithoutId(Event):
    """Somebody else's event: without an id there is nothing to remember."""

    def to_bytes(self) -> bytes:
        raw = json.loads(super().to_bytes())
        del raw["id"]
        return json.dumps(raw).encode()


@pytest.mark.parametrize("broker", BROKERS)
def test_an_event_without_an_id_goes_to_the_dead_letters_and_the_others_are_paid(broker: str, tmp_path: Path) -> None:
    trace, way, keys = Trace(), STRATEGIES["inbox, same transaction"], charging.orders(5)
    poison = WithoutId("OrderPlaced", "/shop/checkout", "0", {"cents": 1})
    with closing(Ledger(tmp_path / "ledger.db")) as ledger, charging.backend(broker, trace) as its:
        its.publish([poison, *charging.placed(keys)])
        steps = RealSteps(ledger, way.effect, trace, broker)
        Work(way, len(keys), steps, crashes.CrashPlan({}, crashes.crash)).until_done(its.reader)
        assert ledger.counts() == dict.fromkeys(keys, 1)
        if broker == "kafka":
            dead = [letter.raw for letter in kafka.dead_letters.read(lab.kafka_config(), its.name)]
        else:
            dead = [letter.raw for letter in rabbitmq.dead_letters.read(lab.rabbitmq_parameters(), its.name)]
    assert dead == [poison.to_bytes()]


def test_the_rows_of_a_doubled_payment_tell_that_it_was_handled_twice() -> None:
    twice, once = (idempotency.run(name, "rabbitmq", 30, RATE, 3) for name in ("work first", "inbox, same transaction"))
    assert twice.trace and once.trace
    handled = twice.trace.to_frame().query("what == 'handled'").key.value_counts()
    assert sorted(handled[handled > 1].index) == sorted(twice.anomalies.key) != []
    rows = once.trace.to_frame()
    assert rows.query("what == 'received'").key.value_counts().max() > 1, "the event did come twice"
    assert sorted(rows.query("what == 'handled'").key) == sorted(charging.orders(30))


@pytest.mark.parametrize("broker", BROKERS)
def test_what_is_announced_is_counted_to_its_end(broker: str) -> None:
    with charging.backend(broker, Trace()) as its:
        for event in charging.placed(charging.orders(30)):
            its.announce(event)
        assert its.announced() == dict.fromkeys(charging.orders(30), 1)
    with pytest.raises(BrokerError):
        its.announced()  # all that was made is gone
