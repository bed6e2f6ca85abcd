"""Kafka dies by `kill -9` in the middle of publishing. What it has confirmed is there when it is back."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import confluent_kafka as ck
import pytest

from labkit.base import settings, wait
from labkit.base.errors import BrokerError
from labkit.brokers import kafka
from labkit.events.event import Event
from labkit.provision import native_kafka
from labkit.provision.model import Place, Started

N = 200


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Started]:
    """A Kafka of the test's own, because it is killed."""
    found = settings.read({"LABKIT_HOME": str(tmp_path), "LABKIT_CACHE": str(settings.read().cache)})
    started = native_kafka.start(Place(found, tmp_path / "run"), print)
    yield started
    started.stop()


def kill(broker: Started) -> None:
    os.kill(broker.processes[0].pid, signal.SIGKILL)
    wait.until(lambda: not broker.alive(), 10, "the broker is dead")


def event(i: int) -> Event:
    return Event("OrderPlaced", "/shop/checkout", f"order-{i}", {"n": i}, seq=1)


def stored(broker: Started, topic: str) -> list[str]:
    """The subjects of all events in the topic, read from its first offset to its last."""
    client = broker.running.client | {"group.id": "reader", "enable.auto.commit": "false"}
    consumer = ck.Consumer(client)
    try:
        partition = ck.TopicPartition(topic, 0, 0)
        _, end = consumer.get_watermark_offsets(partition, timeout=20)
        consumer.assign([partition])
        found: list[str] = []
        while len(found) < end:
            found += [Event.from_bytes(m.value() or b"").subject for m in consumer.consume(end, 1) if not m.error()]
        return found
    finally:
        consumer.close()


def test_every_confirmed_event_is_there_once_after_the_broker_was_killed_and_started_again(own: Started) -> None:
    kafka.create_topics(own.running.client, {"orders": 1})
    producer = kafka.Producer(own.running.client, delivery_timeout_ms=60_000)
    confirmed: list[str] = []

    def publish(first: int) -> None:
        for i in range(first, first + N):
            producer.publish(
                event(i), "orders", on_confirmed=lambda why, i=i: None if why else confirmed.append(f"order-{i}")
            )

    publish(0)
    wait.until(lambda: producer.poll(0.01) >= 0 and confirmed, 20, "the first events are confirmed")
    kill(own)
    publish(N)  # into a dead broker: they wait in the client
    before = len(confirmed)
    assert 0 < before < 2 * N, "some before it died; not all can be confirmed by a broker that is dead"
    assert own.revive
    own.revive()
    producer.flush(60)
    assert len(confirmed) == 2 * N
    assert sorted(stored(own, "orders")) == sorted(confirmed), "none lost, none twice"


def test_a_broker_that_stays_dead_is_an_error_that_names_the_cure(own: Started, impatient: None) -> None:
    kafka.create_topics(own.running.client, {"orders": 1})
    producer = kafka.Producer(own.running.client, delivery_timeout_ms=2000)
    producer.publish(event(0), "orders")
    producer.flush()
    kill(own)
    producer.publish(event(1), "orders")
    with pytest.raises(BrokerError) as error:
        producer.flush()
    assert "OrderPlaced of order-1" in error.value.what and error.value.cure
    assert producer.refused == [], "told once"


def test_a_commit_to_a_dead_broker_does_not_wait_forever(own: Started, impatient: None) -> None:
    kafka.create_topics(own.running.client, {"orders": 1})
    producer = kafka.Producer(own.running.client)
    producer.publish(event(0), "orders")
    producer.flush()
    consumer = kafka.Consumer(own.running.client, "stock", ["orders"], socket_timeout_ms=1000)
    received = consumer.poll(20)
    assert received
    kill(own)
    with pytest.raises(BrokerError) as error:
        consumer.commit(received)
    assert "took no commit" in error.value.what
    consumer.close()


def lost(broker: Started) -> kafka.Consumer:
    """A consumer that has read an event, and has noticed that its broker is dead."""
    kafka.create_topics(broker.running.client, {"orders": 1})
    producer = kafka.Producer(broker.running.client)
    producer.publish(event(0), "orders")
    producer.flush()
    consumer = kafka.Consumer(broker.running.client, "stock", ["orders"])
    assert consumer.poll(20)
    kill(broker)
    wait.until(lambda: consumer.poll(0.1) or consumer.trouble, 20, "the client has noticed")
    return consumer


def test_a_consumer_whose_broker_stays_dead_says_so_and_does_not_report_an_empty_topic(
    own: Started, impatient: None
) -> None:
    consumer = lost(own)
    with pytest.raises(BrokerError, match="Kafka sends nothing to stock") as error:
        list(consumer.events(idle_s=0.1))
    assert "lab.start()" in error.value.cure
    consumer.close()


def test_a_consumer_goes_on_when_its_broker_is_back(own: Started) -> None:
    consumer = lost(own)
    assert own.revive
    own.revive()
    producer = kafka.Producer(own.running.client, delivery_timeout_ms=60_000)
    producer.publish(event(1), "orders")
    producer.flush(60)

    def came() -> bool:  # order-0 may come again before it: it was not committed
        received = consumer.poll(1)
        return received is not None and received.event.subject == "order-1"

    wait.until(came, 60, "what was published afterwards has come")
    consumer.close()


def test_where_nobody_listens_the_error_comes_at_once_and_names_the_cure(own: Started) -> None:
    kill(own)
    for ask in (lambda: kafka.create_topics(own.running.client, {"orders": 1}),
                lambda: kafka.delete_topics(own.running.client, ["orders"])):  # fmt: skip
        with pytest.raises(BrokerError, match="nobody listens") as error:
            ask()
        assert "lab.start()" in error.value.cure
