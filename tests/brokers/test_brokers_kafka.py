"""The Kafka client on a real broker."""

import pytest
from on_brokers import POISON, made, publish_to_kafka, read_kafka, words

from labkit import lab
from labkit.base import ports, wait
from labkit.base.errors import BrokerError
from labkit.base.names import fresh
from labkit.brokers import kafka
from labkit.brokers.kafka import dead_letters
from labkit.events.trace import Trace
from labkit.measure import anomalies

pytestmark = pytest.mark.usefixtures("brokers")


def test_what_kafka_confirmed_is_received_in_the_order_of_each_key_and_traced(topic):
    trace, events = Trace(), made(60)
    publish_to_kafka(topic, events, trace)
    consumer = kafka.Consumer(lab.kafka_config(), fresh("test"), [topic], trace, "inventory")
    for received in read_kafka(consumer, 60):
        consumer.handled(received)
    consumer.commit()
    consumer.close()
    assert words(trace) == dict.fromkeys(("published", "confirmed", "received", "handled", "acked"), 60)
    table = trace.deliveries()
    assert set(table["event_id"]) == {event.id for event in events}
    steps = ["published_s", "received_s", "handled_s", "acked_s"]
    assert (table[steps].diff(axis=1).iloc[:, 1:] >= 0).all(axis=None)
    assert anomalies.find(trace.to_frame()).empty


def test_poison_goes_to_kafkas_dead_topic_with_its_bytes_and_reading_goes_on(topic):
    trace = Trace()
    producer = kafka.Producer(lab.kafka_config(), trace)
    first, last = made(2, keys=1)
    producer.publish(first, topic)
    producer.client.produce(topic, POISON, first.subject)
    producer.publish(last, topic)
    producer.close()
    group = fresh("test")
    consumer = kafka.Consumer(lab.kafka_config(), group, [topic], trace, "inventory")
    assert [received.event for received in read_kafka(consumer, 2)] == [first, last]
    consumer.close()
    assert words(trace)["dead"] == 1
    (letter,) = dead_letters.read(lab.kafka_config(), topic)
    assert (letter.raw, letter.key) == (POISON, first.subject.encode())
    assert "not JSON" in letter.reason
    assert (letter.group, letter.topic, letter.partition, letter.offset) == (group, topic, 0, 1)


def test_a_topic_without_a_dead_topic_has_no_dead_letters(topic):
    assert dead_letters.read(lab.kafka_config(), topic) == []


def test_an_event_that_cannot_be_handled_can_be_buried_in_kafka(topic):
    trace, (event,) = Trace(), made(1)
    publish_to_kafka(topic, [event], trace)
    consumer = kafka.Consumer(lab.kafka_config(), fresh("test"), [topic], trace, "inventory")
    (received,) = read_kafka(consumer, 1)
    consumer.dead_letter(received, "no such product")
    consumer.commit(received)
    consumer.close()
    dead = kafka.Consumer(lab.kafka_config(), fresh("test"), [topic + kafka.DEAD_SUFFIX])
    assert [letter.event for letter in read_kafka(dead, 1)] == [event]
    dead.close()
    assert anomalies.find(trace.to_frame()).empty, "a dead letter is not lost"


def test_kafka_gives_again_what_was_not_committed_and_only_that(topic):
    events, group, trace = made(4, keys=1), fresh("test"), Trace()
    publish_to_kafka(topic, events, trace)
    first = kafka.Consumer(lab.kafka_config(), group, [topic], trace, "inventory")
    got = read_kafka(first, 4)
    first.commit(got[1])  # and with it what lies before
    first.close()
    second = kafka.Consumer(lab.kafka_config(), group, [topic], trace, "inventory")
    assert [received.event for received in read_kafka(second, 2)] == events[2:]
    second.close()
    frame = trace.to_frame()
    assert list(frame[frame["what"] == "acked"]["event_id"]) == [event.id for event in events[:2]]


def test_a_commit_of_nothing_new_is_no_error(topic):
    consumer = kafka.Consumer(lab.kafka_config(), fresh("test"), [topic])
    assert consumer.poll(0.5) is None
    consumer.commit()
    consumer.close()


def test_a_tombstone_is_passed_over(topic):
    producer = kafka.Producer(lab.kafka_config())
    (event,) = made(1)
    producer.client.produce(topic, None, event.subject)
    producer.publish(event, topic)
    producer.close()
    consumer = kafka.Consumer(lab.kafka_config(), fresh("test"), [topic])
    received = wait.until(lambda: consumer.poll(1), 15, "the event behind the tombstone comes")
    consumer.close()
    assert received.event == event


def test_an_event_that_kafka_does_not_take_comes_back_as_an_error():
    trace, told, (event,) = Trace(), [], made(1)
    producer = kafka.Producer(lab.kafka_config(), trace, delivery_timeout_ms=1000)
    producer.publish(event, fresh("nobody-made-this"), on_confirmed=told.append)
    with pytest.raises(BrokerError, match="OrderPlaced of order-0") as caught:
        producer.flush()
    assert "create_topics" in caught.value.cure
    assert len(told) == 1
    assert told[0], "the reason is told"
    assert words(trace) == {"published": 1, "failed": 1}
    producer.flush()  # it was told once


def test_kafkas_confirmation_is_told_to_who_asked(topic):
    told: list[str] = []
    producer = kafka.Producer(lab.kafka_config())
    for event in made(3):
        producer.publish(event, topic, on_confirmed=told.append)
    producer.close()
    assert told == ["", "", ""]


def test_where_no_kafka_listens_the_client_says_so():
    nowhere = {"bootstrap.servers": f"127.0.0.1:{ports.free(1)[0]}"}
    producer = kafka.Producer(nowhere, delivery_timeout_ms=1000)
    producer.publish(made(1)[0], "orders")
    with pytest.raises(BrokerError, match="did not take an event"):
        producer.close()
    consumer = kafka.Consumer(nowhere, "group", ["orders"])
    wait.until(lambda: consumer.poll(0.1) or consumer.trouble, 15, "the trouble is told")
    consumer.close()


def test_a_topic_that_is_not_there_is_an_error_for_its_reader():
    consumer = kafka.Consumer(lab.kafka_config(), fresh("test"), [fresh("nobody-made-this")])
    with pytest.raises(BrokerError, match="sends nothing"):
        consumer.poll(15)
    consumer.close()


def test_topics_are_made_and_deleted_twice_without_complaint():
    name = fresh("test")
    for _ in range(2):
        kafka.create_topics(lab.kafka_config(), {name: 1})
    kafka.delete_topics(lab.kafka_config(), [name])
    kafka.delete_topics(lab.kafka_config(), [fresh("never-made")])
    with pytest.raises(BrokerError, match="did not make the topic"):
        kafka.create_topics(lab.kafka_config(), {"not a name!": 1})
