"""Lesson 00's experiment, on the real brokers."""

import threading
from dataclasses import replace
from typing import Any

import pytest

from labkit import lab
from labkit.base import ports
from labkit.base.errors import BrokerError, NotInTimeError, SettingError
from labkit.lessons.start_here import first_events
from labkit.measure.latency import milliseconds
from labkit.shop import orders

pytestmark = pytest.mark.usefixtures("brokers", "nothing_left")


def run(**changes: Any) -> Any:
    return first_events.run(
        **{"brokers": lab.brokers(), "orders": orders.load(limit=7), "n": 20, "rate": 200.0, **changes}
    )


def changed(broker: str, **client: str) -> lab.Brokers:
    """The brokers of the lab, of which one is said to be elsewhere."""
    return lab.Brokers(
        tuple(replace(one, client=client) if one.broker == broker else one for one in lab.brokers().running)
    )


def test_every_event_arrives_once_on_both_with_its_times_in_order() -> None:
    result = run()
    table = result.deliveries
    assert table.groupby("broker")["seq"].apply(list).to_dict() == {b: list(range(20)) for b in ("kafka", "rabbitmq")}
    assert not table.isna().any().any()
    assert (table["published_s"] >= table["due_s"]).all()
    assert (table["received_s"] > table["published_s"]).all()
    assert (table["confirmed_s"] > table["published_s"]).all()
    first = [order.placed_event() for order in orders.load(limit=7)]
    assert table["event_id"].tolist()[:5] == [first[(i + first_events.WARM_UP) % 7]["id"] for i in range(5)]


def test_both_are_due_at_the_same_rate_and_in_turn() -> None:
    due = run().deliveries.pivot(index="seq", columns="broker", values="due_s")
    assert due["kafka"].diff().dropna().round(6).unique().tolist() == [0.005]
    assert (due["rabbitmq"] - due["kafka"]).round(6).unique().tolist() == [0.0025]


def test_the_sentence_and_the_measures_come_from_the_rows() -> None:
    result = run()
    kafka = milliseconds(result.deliveries[result.deliveries["broker"] == "kafka"])
    assert float(result.measures["kafka_max"]) == kafka.max()
    assert str(result.measures["kafka_p50"]) in result.sentence
    assert result.stamp().startswith(f"{lab.brokers().stamp} · quorum queue · ")
    with pytest.raises(TypeError):
        result.measures["kafka_max"] = 0


def test_lingering_holds_kafkas_events_back() -> None:
    table = run(n=100, rate=100.0, linger_ms=100).deliveries
    # Not a matter of speed: the producer may not send before the first of a batch has waited.
    waits = milliseconds(table[table["broker"] == "kafka"])
    assert waits.max() >= 95
    assert "linger.ms=100" in run(linger_ms=100).stamp()


def test_topic_queue_and_threads_are_gone_after_the_run() -> None:
    before = threading.active_count()
    run()
    assert threading.active_count() == before


@pytest.mark.parametrize("changes", [{"n": 0}, {"rate": 0}, {"orders": []}])
def test_a_run_of_nothing_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match=f"{next(iter(changes))}"):
        run(**changes)


def test_a_rabbitmq_that_does_not_answer_is_named_and_kafkas_topic_goes() -> None:
    (port,) = ports.free(1)
    with pytest.raises(BrokerError, match="RabbitMQ does not answer") as caught:
        run(brokers=changed("rabbitmq", url=f"amqp://guest:guest@127.0.0.1:{port}"))
    assert "labkit status" in caught.value.cure


def test_a_kafka_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABKIT_PATIENCE", "0.1")
    (port,) = ports.free(1)
    with pytest.raises(BrokerError, match="Kafka"):
        run(brokers=changed("kafka", **{"bootstrap.servers": f"127.0.0.1:{port}"}))


def test_an_error_in_a_thread_reaches_the_caller_and_ends_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any) -> None:
        raise BrokerError("RabbitMQ did not take an event: alarm.", "see the doctor")

    sent: list[int] = []

    class Spy(first_events.Kafka):
        def close(self) -> None:
            sent.append(sum("published_s" in row for row in self.rows))
            super().close()

    before = threading.active_count()
    monkeypatch.setattr(first_events.RabbitMQ, "send", refuse)
    monkeypatch.setattr(first_events, "Kafka", Spy)
    with pytest.raises(BrokerError, match="alarm"):
        run(n=300, rate=100.0)
    assert sent[0] < 300  # Kafka's sender stopped on the way
    assert threading.active_count() == before


def test_events_that_do_not_come_back_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABKIT_PATIENCE", "0.1")
    total = 20 + first_events.WARM_UP
    monkeypatch.setattr(first_events.RabbitMQ, "send", lambda *args: None)
    with pytest.raises(NotInTimeError, match=f"{total} of {total} events did not come back from RabbitMQ"):
        run()
