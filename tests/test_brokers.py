"""The two clients on real brokers."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pika
import pytest

from labkit import lab
from labkit.base import ports, wait
from labkit.base.errors import BrokerError
from labkit.base.names import fresh
from labkit.brokers import kafka, rabbitmq
from labkit.events.event import Event
from labkit.events.trace import Trace
from labkit.measure import anomalies

POISON = b'{"specversion": "1.0", "type": \xff'


@pytest.fixture(scope="module", autouse=True)
def brokers() -> None:
    lab.start()


@pytest.fixture
def topic() -> Iterator[str]:
    name = fresh("test")
    kafka.create_topics(lab.kafka_config(), {name: 3})
    yield name
    kafka.delete_topics(lab.kafka_config(), [name, name + kafka.DEAD_SUFFIX])


@pytest.fixture
def queue() -> Iterator[str]:
    name = fresh("test")
    rabbitmq.declare_queue(lab.rabbitmq_parameters(), name)
    yield name
    rabbitmq.delete(lab.rabbitmq_parameters(), name)


def made(n: int, keys: int = 5) -> list[Event]:
    return [Event("OrderPlaced", "/shop/checkout", f"order-{i % keys}", {"n": i}, seq=i // keys + 1) for i in range(n)]


def words(trace: Trace) -> dict[str, int]:
    return trace.to_frame()["what"].value_counts().to_dict()


# --- Kafka -------------------------------------------------------------------------------------------------------


def publish_to_kafka(topic: str, events: list[Event], trace: Trace | None = None) -> None:
    producer = kafka.Producer(lab.kafka_config(), trace, "checkout")
    for event in events:
        producer.publish(event, topic)
    producer.close()


def read_kafka(consumer: kafka.Consumer, n: int) -> list[kafka.Received]:
    got: list[kafka.Received] = []
    for received in consumer.events(idle_s=10):
        got.append(received)
        if len(got) == n:
            break
    return got


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
    consumer = kafka.Consumer(lab.kafka_config(), fresh("test"), [topic], trace, "inventory")
    assert [received.event for received in read_kafka(consumer, 2)] == [first, last]
    consumer.close()
    assert words(trace)["dead"] == 1
    dead = kafka.Consumer(lab.kafka_config(), fresh("test"), [topic + kafka.DEAD_SUFFIX])
    letter = dead.client.poll(10)
    dead.close()
    assert (letter.value(), letter.key()) == (POISON, first.subject.encode())
    headers = dict(letter.headers())
    assert b"not JSON" in headers["reason"]
    assert (headers["topic"], headers["offset"]) == (topic.encode(), b"1")


def test_an_event_that_cannot_be_handled_can_be_buried_in_kafka(topic):
    trace, (event,) = Trace(), made(1)
    publish_to_kafka(topic, [event], trace)
    consumer = kafka.Consumer(lab.kafka_config(), fresh("test"), [topic], trace, "inventory")
    (received,) = read_kafka(consumer, 1)
    consumer.bury(received, "no such product")
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


# --- RabbitMQ ----------------------------------------------------------------------------------------------------


def publish_to_rabbitmq(queue: str, events: list[Event], trace: Trace | None = None, window: int = 1000) -> None:
    publisher = rabbitmq.Publisher(lab.rabbitmq_parameters(), trace, "checkout", window)
    for event in events:
        publisher.publish(event, "", queue)
    publisher.close()


def test_what_rabbitmq_confirmed_is_received_in_order_and_traced(queue):
    trace, events = Trace(), made(60)
    publish_to_rabbitmq(queue, events, trace)
    consumer = rabbitmq.Consumer(lab.rabbitmq_parameters(), queue, trace, "inventory")
    got = []
    for received in consumer.events(idle_s=1):
        consumer.handled(received)
        consumer.ack(received)
        got.append(received.event)
    consumer.close()
    assert got == events
    assert words(trace) == dict.fromkeys(("published", "confirmed", "received", "handled", "acked"), 60)
    assert trace.deliveries()["acked_s"].notna().all()
    assert anomalies.find(trace.to_frame()).empty


def test_a_small_window_and_a_full_waiting_line_lose_nothing(queue):
    events = made(500)
    publish_to_rabbitmq(queue, events, window=3)
    assert read_rabbitmq(queue) == events


def read_rabbitmq(queue: str) -> list[Event]:
    consumer = rabbitmq.Consumer(lab.rabbitmq_parameters(), queue)
    got = []
    for received in consumer.events(idle_s=1):
        consumer.ack(received)
        got.append(received.event)
    consumer.close()
    return got


def test_poison_goes_to_rabbitmqs_dead_letter_queue_with_its_bytes_and_reading_goes_on(queue):
    trace, (first, last) = Trace(), made(2)
    publish_to_rabbitmq(queue, [first])
    with rabbitmq.topology.channel(lab.rabbitmq_parameters()) as channel:
        channel.confirm_delivery()
        channel.basic_publish("", queue, POISON)
    publish_to_rabbitmq(queue, [last])
    consumer = rabbitmq.Consumer(lab.rabbitmq_parameters(), queue, trace, "inventory")
    got = []
    for received in consumer.events(idle_s=1):
        consumer.ack(received)
        got.append(received.event)
    consumer.close()
    assert got == [first, last]
    assert dead_letter(queue) == POISON
    assert words(trace)["dead"] == 1


def dead_letter(queue: str) -> bytes:
    """The bytes of the one letter in the dead letter queue; it stays there."""
    with rabbitmq.topology.channel(lab.rabbitmq_parameters()) as channel:

        def get():
            method, properties, body = channel.basic_get(queue + rabbitmq.DEAD_SUFFIX)
            return (properties.headers["x-death"][0]["reason"], body) if method else None

        reason, body = wait.until(get, 10, "the dead letter arrives")
    assert reason == "rejected"
    return body


def test_a_rejected_event_is_a_dead_letter_and_a_nacked_one_comes_again(queue):
    trace, events = Trace(), made(2)
    publish_to_rabbitmq(queue, events, trace)
    consumer = rabbitmq.Consumer(lab.rabbitmq_parameters(), queue, trace, "inventory")
    seen = []
    for received in consumer.events(idle_s=1):
        seen.append((received.event.id, received.redelivered))
        if received.event == events[0]:
            consumer.reject(received, "no such product")
        elif not received.redelivered:
            consumer.nack(received)
        else:
            consumer.handled(received)
            consumer.ack(received)
    consumer.close()
    assert seen == [(events[0].id, False), (events[1].id, False), (events[1].id, True)]
    assert Event.from_bytes(dead_letter(queue)) == events[0]
    assert anomalies.find(trace.to_frame()).empty


def test_rabbitmq_gives_again_what_was_not_acknowledged(queue):
    events = made(3)
    publish_to_rabbitmq(queue, events)
    consumer = rabbitmq.Consumer(lab.rabbitmq_parameters(), queue)
    first = next(consumer.events())
    consumer.ack(first)
    consumer.close()
    assert read_rabbitmq(queue) == events[1:]


def test_an_event_that_no_queue_takes_comes_back_as_an_error():
    trace, told, (event,) = Trace(), [], made(1)
    publisher = rabbitmq.Publisher(lab.rabbitmq_parameters(), trace, "checkout")
    publisher.publish(event, "", fresh("nobody-made-this"), on_confirmed=told.append)
    with pytest.raises(BrokerError, match="no queue takes it"):
        publisher.flush()
    assert len(told) == 1
    assert "NO_ROUTE" in told[0]
    assert words(trace) == {"published": 1, "failed": 1}
    publisher.close()  # it was told once


def test_a_missing_exchange_is_an_error_and_the_publisher_stays_closed(queue):
    publisher = rabbitmq.Publisher(lab.rabbitmq_parameters())
    publisher.publish(made(1)[0], fresh("missing"), "key")
    with pytest.raises(BrokerError, match="no exchange"):
        publisher.flush()
    with pytest.raises(BrokerError, match="cannot be published to"):
        publisher.publish(made(1)[0], "", queue)
    publisher.close()


def test_an_error_in_a_confirmation_callback_is_not_lost_in_the_thread(queue):
    def broken(reason):
        raise KeyError("order 42")

    publisher = rabbitmq.Publisher(lab.rabbitmq_parameters())
    publisher.publish(made(1)[0], "", queue, on_confirmed=broken)
    with pytest.raises(BrokerError, match="order 42"):
        publisher.flush()
    publisher.publish(made(1)[0], "", queue)
    publisher.close()
    assert len(read_rabbitmq(queue)) == 2


def test_where_no_rabbitmq_listens_the_clients_say_so():
    nowhere = pika.ConnectionParameters("127.0.0.1", ports.free(1)[0], connection_attempts=1)
    with pytest.raises(BrokerError, match="cannot be published to"):
        rabbitmq.Publisher(nowhere)
    with pytest.raises(BrokerError, match="does not answer"):
        rabbitmq.Consumer(nowhere, "stock")


def test_a_queue_with_other_arguments_is_refused_with_a_cure(queue):
    with pytest.raises(BrokerError, match="inequivalent arg") as caught:
        rabbitmq.Consumer(lab.rabbitmq_parameters(), queue, x_max_length=3)
    assert "fresh name" in caught.value.cure


def test_a_topic_exchange_brings_each_queue_its_own():
    parameters, exchange = lab.rabbitmq_parameters(), fresh("shop")
    placed, all_of_it = fresh("placed"), fresh("all")
    rabbitmq.declare_exchange(parameters, exchange)
    rabbitmq.declare_queue(parameters, placed, exchange, "order.placed")
    rabbitmq.declare_queue(parameters, all_of_it, exchange)
    trace, (first, second) = Trace(), made(2)
    publisher = rabbitmq.Publisher(parameters, trace, "checkout")
    publisher.publish(first, exchange, "order.placed")
    publisher.publish(second, exchange, "order.paid")
    publisher.close()
    assert read_rabbitmq(placed) == [first]
    assert read_rabbitmq(all_of_it) == [first, second]
    assert {row.channel for row in trace.rows()} == {f"{exchange}/order.placed", f"{exchange}/order.paid"}
    rabbitmq.delete(parameters, placed, all_of_it, exchanges=(exchange,))


class Cable:
    """A port that leads to RabbitMQ until it is cut."""

    def __init__(self, host: str, port: int) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.to = (host, port)
        self.ends: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            near, _ = self.server.accept()
            far = socket.create_connection(self.to)
            self.ends = [near, far]
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=self._copy, args=(source, target), daemon=True).start()

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(4096):
                target.sendall(data)

    def cut(self) -> None:
        for end in self.ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self.server.close()


def test_when_rabbitmq_goes_away_in_the_middle_no_confirmed_event_is_lost(queue):
    parameters = lab.rabbitmq_parameters()
    cable = Cable(parameters.host, parameters.port)
    through = pika.ConnectionParameters(
        "127.0.0.1", cable.port, parameters.virtual_host, parameters.credentials, connection_attempts=1
    )
    answers: dict[str, str] = {}
    enough = threading.Event()

    def note(event: Event, reason: str) -> None:
        answers[event.id] = reason
        if len(answers) == 50:
            enough.set()

    publisher = rabbitmq.Publisher(through, window=20)
    events = made(2000)
    try:
        for i, event in enumerate(events):
            publisher.publish(event, "", queue, lambda reason, event=event: note(event, reason))
            if i == 150:
                assert enough.wait(20)
                cable.cut()
    except BrokerError as error:
        assert "cannot be published to" in error.what
    with pytest.raises(BrokerError, match="did not take"):
        publisher.flush()
    publisher.close()
    confirmed = {name for name, reason in answers.items() if not reason}
    refused = {name for name, reason in answers.items() if reason}
    assert confirmed
    assert refused
    assert confirmed <= {event.id for event in read_rabbitmq(queue)}
