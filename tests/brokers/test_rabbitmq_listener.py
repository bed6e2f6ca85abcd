"""Queues of a run, listeners, `poll`, a queue that is emptied, on a real RabbitMQ."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from on_brokers import POISON, dead_letter, made, publish_to_rabbitmq, words
from own_broker import alone

from labkit import lab
from labkit.base.errors import BrokerError
from labkit.base.names import fresh
from labkit.base.tasks import TaskGroup
from labkit.base.wait import until
from labkit.brokers import rabbitmq
from labkit.brokers.rabbitmq.topology import channel
from labkit.events.trace import Trace

pytestmark = pytest.mark.usefixtures("brokers")


def is_there(queue: str = "", exchange: str = "") -> bool:
    try:
        with channel(lab.rabbitmq_parameters()) as ch:
            if exchange:
                ch.exchange_declare(exchange, passive=True)
            else:
                ch.queue_declare(queue, passive=True)
    except BrokerError as error:
        assert "NOT_FOUND" in error.what
        return False
    return True


def no_handler(*_: object) -> None:
    pytest.fail("the queue is empty")


# --- queues of a run


def test_queues_their_dead_letters_and_the_exchange_of_a_run_are_gone_afterwards() -> None:
    parameters, name = lab.rabbitmq_parameters(), fresh("test")
    stock, mail = f"{name}.stock", f"{name}.mail"
    keys = {stock: ["order.placed", "order.paid"], mail: ["order.#"]}
    with rabbitmq.temporary_queues(parameters, keys, name, "topic", x_queue_type="classic"):
        assert is_there(exchange=name)
        assert is_there(stock + rabbitmq.DEAD_SUFFIX)
        with rabbitmq.Publisher(parameters) as publisher:
            for event, key in zip(made(3), ("order.placed", "order.paid", "order.sent"), strict=True):
                publisher.publish(event, name, key)
        assert [len(rabbitmq.drain(parameters, queue)) for queue in (stock, mail)] == [2, 3]
    for queue in (stock, mail):
        assert not is_there(queue)
        assert not is_there(queue + rabbitmq.DEAD_SUFFIX)
    assert not is_there(exchange=name)


def test_queues_without_an_exchange_are_published_to_by_their_names() -> None:
    parameters, queue = lab.rabbitmq_parameters(), fresh("test")
    with rabbitmq.temporary_queues(parameters, [queue], dead_letters=False, x_max_length=2):
        publish_to_rabbitmq(queue, made(3))
        assert len(rabbitmq.drain(parameters, queue)) == 2
        assert rabbitmq.drain(parameters, queue) == []
        assert not is_there(queue + rabbitmq.DEAD_SUFFIX)
    assert not is_there(queue)


def test_of_two_listeners_of_a_single_active_queue_one_gets_everything() -> None:
    parameters, queue, who = lab.rabbitmq_parameters(), fresh("test"), list[int]()
    with rabbitmq.temporary_queues(parameters, [queue], x_single_active_consumer=True), TaskGroup() as tasks:

        def handle(number: int, received: rabbitmq.Received, consumer: rabbitmq.Consumer) -> None:
            consumer.ack(received)
            who.append(number)

        listeners = [rabbitmq.Listener(tasks, parameters, queue, partial(handle, n), prefetch=1) for n in (1, 2)]
        rabbitmq.wait_until_ready(tasks, *listeners)
        publish_to_rabbitmq(queue, made(10))
        tasks.wait(lambda: len(who) == 10, 20, "all is handled")
    assert len(set(who)) == 1


def test_a_temporary_stream_keeps_what_was_read_and_has_no_dead_letters() -> None:
    parameters, stream = lab.rabbitmq_parameters(), fresh("test")
    with rabbitmq.temporary_queues(parameters, [stream], x_queue_type="stream"):
        publish_to_rabbitmq(stream, made(2))
        for _ in range(2):
            consumer = rabbitmq.Consumer(parameters, stream, offset="first")
            got = [consumer.poll(10) for _ in range(2)]
            consumer.close()
            assert [one and one.event.data["n"] for one in got] == [0, 1]
        assert not is_there(stream + rabbitmq.DEAD_SUFFIX)
    assert not is_there(stream)


def test_a_queue_that_comes_later_is_bound_to_the_exchange_that_is_there() -> None:
    parameters, name = lab.rabbitmq_parameters(), fresh("test")
    with rabbitmq.temporary_queues(parameters, [], name, "fanout"):
        with rabbitmq.temporary_queues(parameters, [f"{name}.late"], name, kind=None):
            with rabbitmq.Publisher(parameters) as publisher:
                publisher.publish(made(1)[0], name, "any")
            assert len(rabbitmq.drain(parameters, f"{name}.late")) == 1
        assert is_there(exchange=name)
    assert not is_there(exchange=name)


def test_a_queue_that_cannot_be_made_leaves_nothing_of_the_others() -> None:
    parameters, name = lab.rabbitmq_parameters(), fresh("test")
    with (
        pytest.raises(BrokerError, match="x-queue-type"),
        rabbitmq.temporary_queues(parameters, [f"{name}.1"], name, x_queue_type="nonsense"),
    ):
        pytest.fail("RabbitMQ knows no such type")
    assert not is_there(exchange=name)
    assert not is_there(f"{name}.1{rabbitmq.DEAD_SUFFIX}")


def test_a_rabbitmq_that_is_dead_at_clean_up_does_not_hide_the_error_of_the_body(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with alone("rabbitmq", tmp_path, monkeypatch) as kill:
        parameters, queue = lab.rabbitmq_parameters(), fresh("test")
        with pytest.raises(KeyError, match="the body") as error, rabbitmq.temporary_queues(parameters, [queue]):
            kill(1.0, "")
            raise KeyError("the body")
        assert "RabbitMQ does not answer" in error.value.__notes__[0]


# --- poll


def test_poll_gives_what_is_there_in_order_and_none_when_nothing_came(queue: str) -> None:
    trace, events = Trace(), made(5)
    publish_to_rabbitmq(queue, events)
    consumer = rabbitmq.Consumer(lab.rabbitmq_parameters(), queue, trace, "inventory", prefetch=2)
    got = []
    while (received := consumer.poll(0.5)) is not None:
        consumer.handled(received)
        consumer.ack(received)
        got.append(received.event)
    consumer.close()
    assert got == events
    assert words(trace) == dict.fromkeys(("received", "handled", "acked"), 5)
    assert rabbitmq.drain(lab.rabbitmq_parameters(), queue) == []


def test_what_poll_has_ahead_goes_back_into_the_queue_and_is_in_the_trace(queue: str) -> None:
    trace, events = Trace(), made(5)
    publish_to_rabbitmq(queue, events)
    first = rabbitmq.Consumer(lab.rabbitmq_parameters(), queue, trace, "first", prefetch=3)
    received = until(lambda: first.poll(0.1), 10, "the first event comes")
    assert received.queue == queue
    until(lambda: words(trace)["received"] == 3 or first.client._process_data_events(0.1), 10, "three have come")
    first.close()
    second = rabbitmq.Consumer(lab.rabbitmq_parameters(), queue)
    again = [second.poll(5) for _ in range(5)]
    second.close()
    assert [one and one.event for one in again] == events
    assert [one and one.redelivered for one in again] == [True, True, True, False, False]


def test_one_consumer_polls_several_queues_and_rows_say_which() -> None:
    parameters, name, trace = lab.rabbitmq_parameters(), fresh("test"), Trace()
    queues = [f"{name}.1", f"{name}.2"]
    with rabbitmq.temporary_queues(parameters, queues):
        for queue, event in zip(queues, made(2), strict=True):
            publish_to_rabbitmq(queue, [event])
        consumer = rabbitmq.Consumer(parameters, queues, trace, "inventory", provide=False)
        for _ in queues:
            received = until(lambda: consumer.poll(0.1), 10, "an event of each queue comes")
            consumer.ack(received)
        consumer.close()
    frame = trace.to_frame()
    for what in ("received", "acked"):
        assert sorted(frame[frame["what"] == what]["channel"]) == queues


def test_poison_is_rejected_by_poll_with_its_bytes(queue: str) -> None:
    with channel(lab.rabbitmq_parameters()) as ch:
        ch.basic_publish("", queue, POISON)
    (event,) = made(1)
    publish_to_rabbitmq(queue, [event])
    consumer = rabbitmq.Consumer(lab.rabbitmq_parameters(), queue)
    received = until(lambda: consumer.poll(0.1), 10, "the event behind the poison comes")
    consumer.close()
    assert received.event == event
    assert dead_letter(queue) == POISON


@pytest.mark.parametrize("way", ["poll", "events"])
def test_an_event_that_is_acknowledged_by_itself_does_not_come_again(queue: str, way: str) -> None:
    publish_to_rabbitmq(queue, made(3))
    consumer = rabbitmq.Consumer(lab.rabbitmq_parameters(), queue, auto_ack=True)
    if way == "poll":
        assert until(lambda: consumer.poll(0.1), 10, "the first event comes")
    else:
        assert next(consumer.events(10))
    consumer.close()
    assert rabbitmq.drain(lab.rabbitmq_parameters(), queue) == []


def test_poison_that_rabbitmq_has_forgotten_already_is_passed_over(queue: str) -> None:
    with channel(lab.rabbitmq_parameters()) as ch:
        ch.basic_publish("", queue, POISON)
    (event,) = made(1)
    publish_to_rabbitmq(queue, [event])
    consumer = rabbitmq.Consumer(lab.rabbitmq_parameters(), queue, auto_ack=True)
    received = until(lambda: consumer.poll(0.1), 10, "the event behind the poison comes")
    assert received.event == event
    assert consumer.poll(0.5) is None, "and RabbitMQ has no complaint"
    consumer.close()


def test_a_stream_is_polled_from_where_its_reader_says(stream: str) -> None:
    events = made(4)
    publish_to_rabbitmq(stream, events)
    consumer = rabbitmq.Consumer(lab.rabbitmq_parameters(), stream, offset=2)
    got = [until(lambda: consumer.poll(0.1), 10, "an event of the stream comes") for _ in range(2)]
    consumer.close()
    assert [(one.event, one.offset) for one in got] == [(events[2], 2), (events[3], 3)]


def test_what_rabbitmq_closes_the_channel_for_is_told(queue: str) -> None:
    publish_to_rabbitmq(queue, made(1))
    consumer = rabbitmq.Consumer(lab.rabbitmq_parameters(), queue)
    received = until(lambda: consumer.poll(0.1), 10, "the event comes")
    consumer.ack(received)
    consumer.ack(received)
    with pytest.raises(BrokerError, match="unknown delivery tag"):
        until(lambda: consumer.poll(0.1), 10, "RabbitMQ has seen it")
    consumer.close()


@pytest.mark.parametrize("way", ["poll", "events"])
def test_a_consumer_whose_queue_is_deleted_says_so_and_does_not_report_an_empty_queue(way: str) -> None:
    parameters, queue = lab.rabbitmq_parameters(), fresh("test")
    rabbitmq.declare_queue(parameters, queue)
    publish_to_rabbitmq(queue, made(1))
    consumer = rabbitmq.Consumer(parameters, queue)
    events = consumer.events(20) if way == "events" else iter(partial(consumer.poll, 20), None)
    assert next(events)
    rabbitmq.delete(parameters, queue)
    with pytest.raises(BrokerError, match=f"sends nothing more to {queue}"):
        next(events)
    consumer.close()


# --- listeners


def test_two_listeners_share_a_queue_and_their_handlers_say_ack() -> None:
    parameters, queue, trace, done = lab.rabbitmq_parameters(), fresh("test"), Trace(), set[str]()
    with rabbitmq.temporary_queues(parameters, [queue], x_queue_type="classic"), TaskGroup() as tasks:

        def handle(received: rabbitmq.Received, consumer: rabbitmq.Consumer) -> None:
            consumer.ack(received)
            done.add(received.event.id)

        listeners = [
            rabbitmq.Listener(tasks, parameters, queue, handle, trace, f"stock#{n}", prefetch=1) for n in (1, 2)
        ]
        rabbitmq.wait_until_ready(tasks, *listeners)
        publish_to_rabbitmq(queue, made(20))
        tasks.wait(lambda: len(done) == 20, 20, "all is handled")
    acked = trace.to_frame().query("what == 'acked'")
    assert len(acked) == 20
    assert set(acked["who"]) == {"stock#1", "stock#2"}


def test_an_error_of_a_rabbitmq_handler_comes_to_the_body_and_the_event_goes_back(queue: str) -> None:
    def handle(received: rabbitmq.Received, _: rabbitmq.Consumer) -> None:
        raise KeyError(received.event.subject)

    publish_to_rabbitmq(queue, made(1))
    with pytest.raises(KeyError, match="order-0"), TaskGroup() as tasks:
        rabbitmq.Listener(tasks, lab.rabbitmq_parameters(), queue, handle)
        tasks.wait(lambda: False, 30, "it never comes true")
    assert until(lambda: rabbitmq.drain(lab.rabbitmq_parameters(), queue), 10, "it is in the queue again")


def test_what_pika_raises_in_a_handler_has_a_cure(queue: str) -> None:
    def handle(_: rabbitmq.Received, consumer: rabbitmq.Consumer) -> None:
        consumer.client.queue_declare(fresh("nobody-made-this"), passive=True)

    publish_to_rabbitmq(queue, made(1))
    with pytest.raises(BrokerError, match="there is no queue nobody-made-this") as error, TaskGroup() as tasks:
        rabbitmq.Listener(tasks, lab.rabbitmq_parameters(), queue, handle)
        tasks.wait(lambda: False, 30, "it never comes true")
    assert "declare_queue" in error.value.cure


def test_a_listener_of_a_queue_that_is_not_there_makes_none() -> None:
    queue = fresh("nobody-made-this")
    with pytest.raises(BrokerError, match=f"there is no queue {queue}"), TaskGroup() as tasks:
        rabbitmq.wait_until_ready(tasks, rabbitmq.Listener(tasks, lab.rabbitmq_parameters(), queue, no_handler))


def test_a_listener_whose_queue_was_deleted_says_so() -> None:
    parameters, queue = lab.rabbitmq_parameters(), fresh("test")
    rabbitmq.declare_queue(parameters, queue)
    with pytest.raises(BrokerError, match="sends nothing more to stock"), TaskGroup() as tasks:
        rabbitmq.wait_until_ready(tasks, rabbitmq.Listener(tasks, parameters, queue, no_handler, who="stock"))
        rabbitmq.delete(parameters, queue)
        tasks.wait(lambda: False, 30, "it never comes true")


def test_what_another_thread_acknowledges_at_the_end_reaches_rabbitmq(queue: str) -> None:
    """A worker has the event; the listener hears `done` first, and waits for the worker in `at_end`."""
    later: list[Callable[[], None]] = []

    def handle(received: rabbitmq.Received, consumer: rabbitmq.Consumer) -> None:
        ack = partial(consumer.ack, received)
        later.append(lambda: consumer.connection.add_callback_threadsafe(ack))
        tasks.done.set()

    publish_to_rabbitmq(queue, made(1))
    with TaskGroup() as tasks:
        rabbitmq.Listener(tasks, lab.rabbitmq_parameters(), queue, handle, at_end=lambda: later[0]())
        tasks.wait(tasks.done.is_set, 20, "the event has come")
    assert len(later) == 1
    assert rabbitmq.drain(lab.rabbitmq_parameters(), queue) == []


def test_a_with_of_a_publisher_brings_what_rabbitmq_refused_and_not_after_an_error() -> None:
    def publish(then: Callable[[], None]) -> None:
        with rabbitmq.Publisher(lab.rabbitmq_parameters()) as publisher:
            publisher.publish(made(1)[0], "", fresh("nobody-made-this"))
            then()

    def fails() -> None:
        raise KeyError("the body")

    with pytest.raises(BrokerError, match="did not take an event"):
        publish(lambda: None)
    with pytest.raises(KeyError, match="the body"):
        publish(fails)
