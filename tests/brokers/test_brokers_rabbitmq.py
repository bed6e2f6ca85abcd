"""The RabbitMQ client on a real broker."""

import pika
import pytest
from on_brokers import POISON, dead_letter, made, publish_to_rabbitmq, read_rabbitmq, words

from labkit import lab
from labkit.base import ports
from labkit.base.errors import BrokerError
from labkit.base.names import fresh
from labkit.brokers import rabbitmq
from labkit.events.event import Event
from labkit.events.trace import Trace
from labkit.measure import anomalies

pytestmark = pytest.mark.usefixtures("brokers")


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
