"""Lesson 09 at the ends of "exactly once": transactions, the sender, two consumers at once, an inbox that forgets."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient

from labkit import lab
from labkit.base.errors import NotInTimeError, SettingError
from labkit.lessons.idempotency import crashes, predicted
from labkit.lessons.idempotency.charging import orders
from labkit.lessons.idempotency.limits import race, sending, transactions, window

pytestmark = pytest.mark.usefixtures("brokers")

BROKERS = ["kafka", "rabbitmq"]


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """After every test: no topic and no thread of a run."""
    before = {thread.ident for thread in threading.enumerate()}
    yield
    topics = AdminClient(lab.kafka_config()).list_topics(timeout=10).topics
    assert [name for name in topics if name.startswith(("payments", "sent-", "race-"))] == []
    assert [t.name for t in threading.enumerate() if t.ident not in before] == []


def test_a_transaction_is_once_for_who_reads_committed_and_as_on_paper_for_all_others() -> None:
    result = transactions.run(payments=40, crash_rate=0.1, seed=5)
    keys = orders(40)
    expected = predicted.predict(transactions.WAY, keys, crashes.planned(keys, 5, 0.1), batch=10)
    doubled = dict(zip(result.deliveries["view"], result.deliveries["doubled"], strict=True))
    assert result.measures["crashes"].value > 0 and expected.doubled
    assert doubled == {
        "read_committed": 0,
        "read_uncommitted": len(expected.doubled),
        "ledger outside": len(expected.doubled),
    }
    assert result.deliveries["lost"].sum() == 0


@pytest.mark.parametrize("sender", sending.SENDERS)
def test_a_lost_confirm_doubles_the_event_unless_the_producer_is_idempotent(sender: str) -> None:
    result = sending.run(sender, payments=40, loss=0.15, seed=2)
    lost, doubled = result.measures["confirms_lost"].value, result.measures["doubled"].value
    assert lost > 0
    assert doubled == (0 if "idempotent" in sender else lost)
    assert result.measures["missing"].value == 0


def test_a_whole_wire_loses_and_doubles_nothing() -> None:
    for sender in sending.SENDERS:
        result = sending.run(sender, payments=3, loss=0.0)
        assert [result.measures[name].value for name in ("confirms_lost", "doubled", "missing")] == [0, 0, 0]


@pytest.mark.parametrize("broker", BROKERS)
def test_who_checks_and_then_acts_charges_everybody_twice_and_a_unique_key_mends_it(broker: str) -> None:
    repeated, mended = (race.run(handler, broker, payments=20) for handler in race.HANDLERS)
    assert (repeated.measures["doubled"].value, repeated.measures["lost"].value) == (20, 0)
    assert (mended.measures["doubled"].value, mended.measures["lost"].value) == (0, 0)
    assert len(repeated.anomalies) == 20 and mended.anomalies.empty


def test_an_error_of_a_handler_comes_back_and_ends_both_consumers() -> None:
    def fails(books: Any, event: Any, meet: Any) -> None:
        meet()
        raise KeyError("card")

    with pytest.raises(KeyError, match="card"):
        race.run(fails, payments=5)


def test_a_handler_that_never_meets_the_other_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(race, "_MEET_S", 0.3)
    first = threading.get_ident()

    def alone(books: Any, event: Any, meet: Any) -> None:
        if not hasattr(alone, "one"):
            alone.one = threading.get_ident()  # type: ignore[attr-defined]
        if alone.one == threading.get_ident() != first:  # type: ignore[attr-defined]
            meet()

    with pytest.raises(NotInTimeError, match="did not meet"):
        race.run(alone, "kafka", payments=5)


@pytest.mark.parametrize("broker", BROKERS)
def test_what_is_older_than_the_window_is_charged_again_and_nothing_else(broker: str) -> None:
    result = window.run(window_days=10, days=30, payments=60, broker=broker)
    assert result.measures["doubled"].value == result.measures["predicted"].value == 40
    assert result.measures["remembered"].value == 20
    assert result.deliveries["lost"].sum() == 0


def test_a_window_as_long_as_the_replay_charges_nobody_again() -> None:
    assert window.run(window_days=30, payments=30, broker="rabbitmq").measures["doubled"].value == 0


def test_a_batch_that_is_no_number_is_refused() -> None:
    with pytest.raises(SettingError, match="batch"):
        transactions.run(batch=0)
