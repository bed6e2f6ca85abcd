"""Topics of a run, listeners, a topic read to its end, on a real Kafka."""

import threading
from collections.abc import Callable
from pathlib import Path

import confluent_kafka as ck
import pytest
from confluent_kafka.admin import AdminClient
from on_brokers import POISON, made, publish_to_kafka, words
from own_broker import alone

from labkit import lab
from labkit.base.errors import BrokerError
from labkit.base.names import fresh
from labkit.base.tasks import TaskGroup
from labkit.base.wait import until
from labkit.brokers import kafka
from labkit.events.trace import Trace

pytestmark = pytest.mark.usefixtures("brokers")


def topics() -> set[str]:
    return set(AdminClient(lab.kafka_config()).list_topics(timeout=10).topics)


def test_topics_their_dead_letters_and_the_groups_of_a_run_are_gone_afterwards() -> None:
    config, topic, seen = lab.kafka_config(), fresh("test"), list[str]()
    with kafka.temporary_topics(config, {topic: 2}), TaskGroup() as tasks:

        def handle(received: kafka.Received, consumer: kafka.Consumer) -> None:
            consumer.dead_letter(received, "as the test wants it")
            consumer.commit(received)
            seen.append(received.event.id)

        kafka.Listener(tasks, config, f"{topic}.stock", topic, handle)
        publish_to_kafka(topic, made(3))
        tasks.wait(lambda: len(seen) == 3, 20, "all are dead letters")
        assert {topic, topic + kafka.DEAD_SUFFIX} <= topics()
        assert f"{topic}.stock" in kafka.list_groups(config)
    assert [name for name in [*topics(), *kafka.list_groups(config)] if name.startswith(topic)] == []


def test_a_topic_that_is_there_already_is_refused_and_stays(topic: str) -> None:
    other = fresh("test")
    with (
        pytest.raises(BrokerError, match=f"{topic} is there already"),
        kafka.temporary_topics(lab.kafka_config(), {other: 1, topic: 3}),
    ):
        pytest.fail("it must not begin")
    assert topic in topics()
    assert other not in topics()


def test_the_settings_of_a_temporary_topic_are_its_own() -> None:
    config, topic = lab.kafka_config(), fresh("test")
    with (
        pytest.raises(BrokerError, match=r"cleanup.policy|CLEANUP|nonsense"),
        kafka.temporary_topics(config, {topic: 1}, cleanup_policy="nonsense"),
    ):
        pytest.fail("Kafka knows no such policy")
    assert topic not in topics()


def test_a_kafka_that_is_dead_at_clean_up_does_not_hide_the_error_of_the_body(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with alone("kafka", tmp_path, monkeypatch) as kill:
        config, topic = lab.kafka_config(), fresh("test")
        with pytest.raises(KeyError, match="the body") as error, kafka.temporary_topics(config, {topic: 1}):
            kill(1.0, "")
            until(lambda: kafka.topics._refuses(config["bootstrap.servers"]), 20, "nobody listens any more")
            raise KeyError("the body")
        assert "Kafka does not answer" in error.value.__notes__[0]


def test_a_listener_commits_what_its_handler_says_and_the_next_one_goes_on_there(topic: str) -> None:
    config, trace, events = lab.kafka_config(), Trace(), made(5, keys=1)
    publish_to_kafka(topic, events)
    got: list[str] = []

    def run(many: int) -> list[str]:
        got.clear()
        with TaskGroup() as tasks:

            def handle(received: kafka.Received, consumer: kafka.Consumer) -> None:
                consumer.handled(received)
                consumer.commit(received)
                got.append(received.event.id)
                if len(got) == many:
                    tasks.done.set()

            kafka.Listener(tasks, config, topic, topic, handle, trace, "inventory", fetch_wait_max_ms=20)
            tasks.wait(tasks.done.is_set, 20, "it has read so many")
        return list(got)

    assert run(2) + run(3) == [event.id for event in events]
    kafka.delete_groups(config, [topic])
    assert words(trace) == dict.fromkeys(("received", "handled", "acked"), 5)


def test_an_error_of_a_kafka_handler_comes_to_the_body_and_ends_the_other_listener(topic: str) -> None:
    config, ended = lab.kafka_config(), list[str]()

    def handle(received: kafka.Received, _: kafka.Consumer) -> None:
        raise KeyError(received.event.subject)

    publish_to_kafka(topic, made(1))
    with pytest.raises(KeyError, match="order-0"), TaskGroup() as tasks:
        for number in range(2):
            group = f"{topic}.{number}"
            kafka.Listener(tasks, config, group, topic, handle, at_end=lambda group=group: ended.append(group))  # type: ignore[misc]
        tasks.wait(lambda: False, 30, "it never comes true")
    assert sorted(ended) == [f"{topic}.0", f"{topic}.1"]
    kafka.delete_groups(config, ended)  # it refuses a group that still has a member


def test_what_the_bare_client_raises_in_a_handler_has_a_cure(topic: str) -> None:
    def handle(_: kafka.Received, consumer: kafka.Consumer) -> None:
        consumer.client.seek(ck.TopicPartition(topic, 99, 0))

    publish_to_kafka(topic, made(1))
    with pytest.raises(BrokerError, match="refused what stock asked") as error, TaskGroup() as tasks:
        kafka.Listener(tasks, lab.kafka_config(), topic, topic, handle, who="stock")
        tasks.wait(lambda: False, 30, "it never comes true")
    assert error.value.cure


def test_a_listener_of_a_topic_that_was_deleted_says_so() -> None:
    config, topic, seen = lab.kafka_config(), fresh("test"), threading.Event()
    kafka.create_topics(config, {topic: 1})
    publish_to_kafka(topic, made(1))
    with pytest.raises(BrokerError, match="sends nothing to stock"), TaskGroup() as tasks:
        # Kafka does not tell its readers. They see it when they ask for the topic again, by default after minutes.
        kafka.Listener(
            tasks, config, topic, topic, lambda *_: seen.set(), who="stock", topic_metadata_refresh_interval_ms=200
        )
        tasks.wait(seen.is_set, 20, "it reads")
        kafka.delete_topics(config, [topic])
        tasks.wait(lambda: False, 60, "it never comes true")
    kafka.delete_groups(config, [topic])


def no_handler(*_: object) -> None:
    pytest.fail("the topic is empty")


@pytest.mark.parametrize(("members", "busy"), [(1, 1), (2, 2), (5, 3)])
def test_all_are_waited_for_that_can_have_a_partition(topic: str, members: int, busy: int) -> None:
    with TaskGroup() as tasks:
        listeners = [
            kafka.Listener(tasks, lab.kafka_config(), f"{topic}.{group}", topic, no_handler, who=f"{group}#{number}")
            for group in ("stock", "mail")
            for number in range(members)
        ]
        kafka.wait_until_assigned(tasks, *listeners)
        for of_group in (listeners[:members], listeners[members:]):
            held = [place for one in of_group for place in one.assigned]
            assert sorted(held) == [(topic, 0), (topic, 1), (topic, 2)]
            assert sum(bool(one.assigned) for one in of_group) == busy
    kafka.delete_groups(lab.kafka_config(), [f"{topic}.stock", f"{topic}.mail"])


def test_a_consumer_that_has_left_is_assigned_nothing(topic: str) -> None:
    consumer = kafka.Consumer(lab.kafka_config(), topic, [topic])
    until(lambda: consumer.poll(0.1) or len(consumer.assigned) == 3, 20, "it has all partitions")
    consumer.close()
    assert consumer.assigned == frozenset()


def test_a_topic_is_read_to_its_end_with_all_partitions_and_what_is_no_event(topic: str) -> None:
    events = made(30)
    publish_to_kafka(topic, events)
    with kafka.Producer(lab.kafka_config()) as producer:
        producer.client.produce(topic, POISON)
    found = kafka.read_all(lab.kafka_config(), topic)
    assert len(found) == 31
    assert {message.partition() for message in found} == {0, 1, 2}
    assert POISON in [message.value() for message in found]
    assert {event.to_bytes() for event in events} < {message.value() for message in found}
    assert len(kafka.read_all(lab.kafka_config(), topic)) == 31, "it commits nothing"


def test_an_empty_topic_has_an_end_too_and_one_that_is_not_there_has_none(topic: str) -> None:
    assert kafka.read_all(lab.kafka_config(), topic) == []
    with pytest.raises(BrokerError, match="There is no topic"):
        kafka.read_all(lab.kafka_config(), fresh("nobody-made-this"))


def test_an_event_of_a_transaction_that_was_aborted_is_read_only_when_asked_for(topic: str) -> None:
    config = lab.kafka_config()
    producer = ck.Producer({**config, "transactional.id": topic})
    producer.init_transactions(20)
    producer.begin_transaction()
    producer.produce(topic, b"aborted")
    producer.flush(20)
    producer.abort_transaction(20)
    assert kafka.read_all(config, topic) == []
    assert [one.value() for one in kafka.read_all(config, topic, isolation_level="read_uncommitted")] == [b"aborted"]


def test_a_producer_that_is_warm_has_left_nothing_behind_and_publishes(topic: str) -> None:
    before = topics()
    with kafka.Producer(lab.kafka_config()) as first, kafka.Producer(lab.kafka_config(), linger_ms=0) as second:
        kafka.warm_up(lab.kafka_config(), first, second)
        assert topics() == before
        for producer, event in zip((first, second), made(2), strict=True):
            producer.publish(event, topic)
    assert len(kafka.read_all(lab.kafka_config(), topic)) == 2


def test_a_with_of_a_producer_brings_what_kafka_refused_and_not_after_an_error() -> None:
    def publish(then: Callable[[], None]) -> None:
        with kafka.Producer(lab.kafka_config(), delivery_timeout_ms=1000) as producer:
            producer.publish(made(1)[0], fresh("nobody-made-this"))
            then()

    def fails() -> None:
        raise KeyError("the body")

    with pytest.raises(BrokerError, match="did not take an event"):
        publish(lambda: None)
    with pytest.raises(KeyError, match="the body"):
        publish(fails)
