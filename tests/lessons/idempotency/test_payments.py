"""Lesson 09 on the real brokers: who is charged, and how often, is what the seed says. Counts only."""

import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError
from typing import Any

import pika
import psutil
import pytest
from confluent_kafka.admin import AdminClient

from labkit import lab
from labkit.base import settings
from labkit.base.checkpoint import reporting
from labkit.brokers import kafka, rabbitmq
from labkit.chaos.processes import ServiceError
from labkit.events.event import Event
from labkit.events.trace import Trace
from labkit.lessons import idempotency
from labkit.lessons.idempotency import charging, compare, side
from labkit.lessons.idempotency import kill as kill9
from labkit.lessons.idempotency.ends import puzzle
from labkit.lessons.idempotency.steps import STRATEGIES

pytestmark = pytest.mark.usefixtures("brokers")

N, RATE = 60, 0.2
PAIRS = [(name, broker) for name, way in STRATEGIES.items() if not way.automatic for broker in way.brokers]


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """After every test: no topic, no process, no thread and no file of a run."""
    before = {thread.ident for thread in threading.enumerate()}
    files = _files()
    children = {child.pid for child in psutil.Process().children(recursive=True)}
    yield
    assert [name for name in AdminClient(lab.kafka_config()).list_topics(timeout=10).topics if "payments" in name] == []
    assert [t.name for t in threading.enumerate() if t.ident not in before and not t.daemon] == []
    assert [c.cmdline() for c in psutil.Process().children(recursive=True) if c.pid not in children] == []
    assert _files() == files


def _files() -> set[str]:
    return {path.name for path in (settings.read().home / "work").glob("payments*")}


def number(result: Any, name: str) -> int:
    return round(result.measures[name].value)


@pytest.mark.parametrize(("strategy", "broker"), PAIRS)
def test_the_customers_who_are_wronged_are_those_on_paper(strategy: str, broker: str) -> None:
    prefetch = 1 if STRATEGIES[strategy].skips_redelivered else 20
    result = idempotency.run(strategy, broker, N, RATE, seed=3, prefetch=prefetch)
    assert number(result, "crashes") > 5
    assert result.deliveries.as_predicted.all(), result.sentence
    assert number(result, "lost") == number(result, "predicted_lost")
    assert number(result, "doubled") == number(result, "predicted_doubled")
    assert len(result.anomalies) == number(result, "lost") + number(result, "doubled")


@pytest.mark.parametrize("broker", ["kafka", "rabbitmq"])
def test_work_first_doubles_ack_first_loses_and_the_inbox_does_neither(broker: str) -> None:
    runs = compare.run(["work first", "ack first", "inbox, same transaction"], N, RATE, seed=3, brokers=[broker])
    doubled, lost = runs.deliveries.doubled.tolist(), runs.deliveries.lost.tolist()
    assert doubled[0] > 0 and lost[0] == 0
    assert lost[1] > 0 and doubled[1] == 0
    assert (lost[2], doubled[2]) == (0, 0)
    assert set(runs.anomalies.kind) == {"lost", "duplicated"}
    assert "the consumer crashed" in runs.anomalies.sentence[0]


@pytest.mark.parametrize("broker", ["kafka", "rabbitmq"])
def test_a_batch_repeats_more_than_its_crashes_and_just_what_is_on_paper(broker: str) -> None:
    one, ten = (idempotency.run("work first", broker, N, RATE, seed=3, batch=batch) for batch in (1, 10))
    assert ten.deliveries.as_predicted.all()
    assert number(ten, "doubled") > number(one, "doubled")
    assert number(ten, "extra") > number(ten, "doubled")


def test_automatic_ack_loses_what_was_under_way_and_doubles_nothing() -> None:
    result = idempotency.run("automatic ack", "rabbitmq", N, RATE, seed=3)
    assert number(result, "lost") > 0 and number(result, "doubled") == 0
    assert "clock" in result.sentence and result.deliveries.as_predicted[0] is None


@pytest.mark.parametrize("broker", ["kafka", "rabbitmq"])
def test_without_a_crash_everything_is_right_in_every_way(broker: str) -> None:
    names = [name for name, way in STRATEGIES.items() if broker in way.brokers and name != "automatic commit"]
    runs = compare.run(names, 20, 0.0, brokers=[broker])
    assert len(runs.deliveries) == len(names)
    assert runs.deliveries[["lost", "doubled", "crashes"]].sum().tolist() == [0, 0, 0]


@pytest.mark.parametrize("broker", ["kafka", "rabbitmq"])
@pytest.mark.parametrize("strategy", ["ack first", "work first", "inbox, same transaction"])
def test_a_real_kill_wrongs_the_same_customers(strategy: str, broker: str) -> None:
    killed = kill9.run(strategy, broker, payments=40, crash_rate=0.12, seed=2)
    quick = idempotency.run(strategy, broker, 40, 0.12, seed=2)
    assert number(killed, "crashes") == number(quick, "crashes") >= 3
    assert killed.deliveries.as_predicted.all()
    for name in ("lost", "doubled", "extra"):
        assert number(killed, name) == number(quick, name)


def test_automatic_commit_begins_again_and_again_at_the_first_payment() -> None:
    result = kill9.run("automatic commit", payments=40, crash_rate=0.12, seed=2, interval_ms=60_000)
    assert result.deliveries.as_predicted.all()
    assert number(result, "extra") > number(result, "crashes") > 0


def test_a_consumer_process_that_dies_by_itself_is_an_error_with_its_last_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    order = kill9._order
    monkeypatch.setattr(kill9, "_order", lambda *given: order(*given) | {"strategy": "hope"})
    with pytest.raises(ServiceError, match="hope"):
        kill9.run(payments=5)


@pytest.mark.parametrize("broker", ["kafka", "rabbitmq"])
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
    real, on_paper = puzzle.run(["read", *steps], broker), puzzle.on_paper(["read", *steps])
    assert real.gaps == on_paper.gaps
    assert bool(real) == bool(on_paper) == ("handle+remember" in steps)


@pytest.mark.parametrize("broker", ["kafka", "rabbitmq"])
def test_a_run_can_be_cancelled_and_says_how_far_it_is(broker: str) -> None:
    told: list[float | None] = []
    stop = threading.Event()

    def progress(done: float | None, words: str) -> None:
        told.append(done)
        stop.set()

    with pytest.raises(CancelledError), reporting(progress, stop):
        idempotency.run("work first", broker, N)
    assert told and told[0] is not None and 0 <= told[0] <= 1


@pytest.mark.parametrize("broker", ["kafka", "rabbitmq"])
def test_an_event_without_an_id_goes_to_the_dead_letters_and_the_others_are_paid(
    broker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else publishes it in front of ours: without an id there is nothing to remember."""
    kind = side.OnKafka if broker == "kafka" else side.OnRabbitMQ
    raw = Event("OrderPlaced", "/shop/checkout", "0", {"cents": 1}, id="to-be-taken").to_bytes()
    raw = raw.replace(b'"id":"to-be-taken",', b"")
    assert b"to-be-taken" not in raw.replace(b'"correlationid":"to-be-taken"', b"")
    opened = kind.open
    dead: list[int] = []

    def open_after_poison(self: Any, events: Any) -> None:
        opened(self, [])
        if broker == "kafka":
            self._producer.client.produce(self.name, raw)
            self._producer.flush()
        else:
            with rabbitmq.topology.channel(lab.rabbitmq_parameters()) as channel:
                channel.confirm_delivery()
                channel.basic_publish("", self.name, raw)
        for event in events:
            self._producer.publish(event, self.name) if broker == "kafka" else self._publisher.publish(
                event, "", self.name
            )
        (self._producer if broker == "kafka" else self._publisher).flush()

    closed = kind.close

    def count_and_close(self: Any) -> None:
        letters = f"{self.name}.dead"
        if broker == "kafka":
            dead.append(letters in AdminClient(lab.kafka_config()).list_topics(timeout=10).topics)
            kafka.delete_topics(lab.kafka_config(), [letters])
        else:
            with rabbitmq.topology.channel(lab.rabbitmq_parameters()) as channel:
                dead.append(channel.basic_get(letters, auto_ack=True)[0] is not None)
        closed(self)

    monkeypatch.setattr(kind, "open", open_after_poison)
    monkeypatch.setattr(kind, "close", count_and_close)
    result = idempotency.run("inbox, same transaction", broker, 20, RATE)
    assert (number(result, "lost"), number(result, "doubled")) == (0, 0)
    assert dead == [True]


def test_the_rows_of_a_doubled_payment_tell_that_it_was_handled_twice() -> None:
    result = idempotency.run("work first", "rabbitmq", N, RATE, seed=3)
    assert result.trace
    handled = result.trace.to_frame().query("what == 'handled'").key.value_counts()
    twice = sorted(handled[handled > 1].index)
    assert twice == sorted(result.anomalies.key) != []
    once = idempotency.run("inbox, same transaction", "rabbitmq", N, RATE, seed=3)
    assert once.trace
    rows = once.trace.to_frame()
    assert rows.query("what == 'received'").key.value_counts().max() > 1, "the event did come twice"
    assert sorted(rows.query("what == 'handled'").key) == sorted(charging.orders(N))


def test_a_queue_is_counted_to_its_end() -> None:
    own = side.OnRabbitMQ(lab.rabbitmq_parameters(), Trace())
    try:
        own.open([])
        for event in charging.placed(charging.orders(30)):
            own.tell(event)
        assert own.told() == dict.fromkeys(charging.orders(30), 1)
    finally:
        own.close()
    with (
        pytest.raises(pika.exceptions.ChannelClosedByBroker),
        rabbitmq.topology.connect(lab.rabbitmq_parameters()) as connection,
    ):
        connection.channel().queue_declare(own.name, passive=True)
