"""A RabbitMQ stream through the same client: the third kind, between a log and a queue."""

from datetime import UTC, datetime, timedelta

import pytest
from on_brokers import POISON, made, publish_to_rabbitmq, words

from labkit import lab
from labkit.base.errors import BrokerError
from labkit.base.names import fresh
from labkit.brokers import rabbitmq
from labkit.events.trace import Trace

pytestmark = pytest.mark.usefixtures("brokers")


def read(stream: str, offset: str | int | datetime, n: int, trace: Trace | None = None) -> list[rabbitmq.Received]:
    consumer = rabbitmq.Consumer(lab.rabbitmq_parameters(), stream, trace, "reader", offset=offset)
    got = []
    for received in consumer.events(idle_s=10):
        consumer.ack(received)
        got.append(received)
        if len(got) == n:
            break
    consumer.close()
    return got


def test_a_stream_gives_every_reader_all_of_it_with_the_place_of_each_event(stream):
    events, trace = made(6), Trace()
    publish_to_rabbitmq(stream, events)
    for _ in range(2):
        got = read(stream, "first", 6, trace)
        assert [one.event for one in got] == events
        assert [one.offset for one in got] == list(range(6))
    received = trace.to_frame().query("what == 'received'")
    assert list(received["position"]) == [*range(6), *range(6)]


def test_a_stream_is_read_from_a_number_and_from_a_time(stream):
    events = made(6)
    publish_to_rabbitmq(stream, events)
    assert [one.event for one in read(stream, 4, 2)] == events[4:]
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    assert [one.event for one in read(stream, an_hour_ago, 6)] == events


def test_a_stream_takes_nothing_back_and_has_no_dead_letters(stream):
    publish_to_rabbitmq(stream, made(1))
    consumer = rabbitmq.Consumer(lab.rabbitmq_parameters(), stream, offset="first")
    received = next(consumer.events(idle_s=10))
    with pytest.raises(BrokerError, match="gives no event again"):
        consumer.nack(received)
    with pytest.raises(BrokerError, match="has no dead letters"):
        consumer.reject(received, "no such product")
    consumer.close()


def test_poison_in_a_stream_is_told_and_reading_goes_on_behind_it(stream):
    trace, (event,) = Trace(), made(1)
    with rabbitmq.topology.channel(lab.rabbitmq_parameters()) as channel:
        channel.confirm_delivery()
        channel.basic_publish("", stream, POISON)
    publish_to_rabbitmq(stream, [event])
    assert [(one.event, one.offset) for one in read(stream, "first", 1, trace)] == [(event, 1)]
    assert words(trace) == {"dead": 1, "received": 1, "acked": 1}


@pytest.mark.parametrize("kind", ["quorum", "classic"])
def test_a_queue_has_no_offset_to_begin_at(kind):
    queue = fresh("test")
    rabbitmq.declare_queue(lab.rabbitmq_parameters(), queue, x_queue_type=kind)
    publish_to_rabbitmq(queue, made(1))
    consumer = rabbitmq.Consumer(lab.rabbitmq_parameters(), queue, offset="first")
    with pytest.raises(BrokerError, match="is a queue, not a stream"):
        next(consumer.events(idle_s=10))
    consumer.close()
    rabbitmq.delete(lab.rabbitmq_parameters(), queue)
