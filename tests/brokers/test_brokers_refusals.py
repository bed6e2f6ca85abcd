"""What a broker refuses comes back as an error that says what is there, what was asked, and what to do."""

from collections.abc import Iterator

import pytest
from on_brokers import made, publish_to_kafka, read_kafka, read_rabbitmq, words

from labkit import lab
from labkit.base.errors import BrokerError
from labkit.base.names import fresh
from labkit.brokers import kafka, rabbitmq
from labkit.brokers.rabbitmq import topology
from labkit.brokers.rabbitmq.refusals import explained
from labkit.events.trace import Trace

pytestmark = pytest.mark.usefixtures("brokers")


@pytest.fixture
def exchange() -> Iterator[str]:
    name = fresh("test")
    rabbitmq.declare_exchange(lab.rabbitmq_parameters(), name)
    yield name
    rabbitmq.delete(lab.rabbitmq_parameters(), exchanges=(name,))


def test_an_event_to_a_queue_that_is_not_there_comes_back_with_its_name_and_the_cure():
    trace, told, (event,), nobody = Trace(), [], made(1), fresh("nobody-made-this")
    publisher = rabbitmq.Publisher(lab.rabbitmq_parameters(), trace, "checkout")
    publisher.publish(event, "", nobody, on_confirmed=told.append)
    with pytest.raises(BrokerError, match=f"no queue has the name '{nobody}'") as caught:
        publisher.flush()
    assert f"declare_queue(…, '{nobody}')" in caught.value.cure
    assert len(told) == 1
    assert "NO_ROUTE" in told[0]
    assert words(trace) == {"published": 1, "failed": 1}
    publisher.close()  # it was told once


def test_an_unknown_routing_key_comes_back_with_its_exchange_its_key_and_the_binding_to_make(exchange):
    parameters, queue = lab.rabbitmq_parameters(), fresh("placed")
    rabbitmq.declare_queue(parameters, queue, exchange, "order.placed")
    publisher = rabbitmq.Publisher(parameters)
    first, second = made(2)
    publisher.publish(first, exchange, "order.plcaed")
    publisher.publish(second, exchange, "order.placed")
    with pytest.raises(BrokerError, match=f"of the exchange {exchange} .* 'order.plcaed'") as caught:
        publisher.flush()
    assert f"exchange='{exchange}', routing_key='order.plcaed'" in caught.value.cure
    publisher.publish(first, exchange, "order.placed")
    publisher.close()
    assert read_rabbitmq(queue) == [second, first], "what came back can be published again, by its right key"
    rabbitmq.delete(parameters, queue)


def test_a_missing_exchange_is_an_error_and_the_publisher_stays_closed(queue):
    publisher, missing = rabbitmq.Publisher(lab.rabbitmq_parameters()), fresh("missing")
    publisher.publish(made(1)[0], missing, "key")
    with pytest.raises(BrokerError, match="no exchange") as caught:
        publisher.flush()
    assert f"declare_exchange(…, '{missing}')" in caught.value.cure
    with pytest.raises(BrokerError, match="cannot be published to") as later:
        publisher.publish(made(1)[0], "", queue)
    assert "declare_exchange" in later.value.cure
    publisher.close()


def test_a_queue_with_another_argument_says_which_what_it_is_and_what_was_asked(queue):
    with pytest.raises(BrokerError, match="its x-max-length is not set, not 3") as caught:
        rabbitmq.Consumer(lab.rabbitmq_parameters(), queue, x_max_length=3)
    assert queue in caught.value.what
    assert "ask for it without x_max_length" in caught.value.cure
    assert "fresh name" in caught.value.cure


def test_a_queue_of_another_kind_is_to_be_asked_for_as_it_is(queue):
    with pytest.raises(BrokerError, match="its x-queue-type is quorum, not classic") as caught:
        rabbitmq.declare_queue(lab.rabbitmq_parameters(), queue, x_queue_type="classic")
    assert "x_queue_type='quorum'" in caught.value.cure


def test_an_exchange_of_another_kind_is_explained_too(exchange):
    with pytest.raises(BrokerError, match="its type is topic, not fanout") as caught:
        rabbitmq.declare_exchange(lab.rabbitmq_parameters(), exchange, "fanout")
    assert "kind='topic'" in caught.value.cure
    rabbitmq.declare_exchange(lab.rabbitmq_parameters(), exchange, "topic")


@pytest.mark.parametrize(
    ("said", "what", "cure"),
    [
        ("received '3' but current is '5'", "is 5, not 3", "x_max_length=5,"),
        ("received none but current is the value '5' of type 'signedint'", "is 5, not not set", "x_max_length=5,"),
        ("received the value 'a' of type 'longstr' but current is none", "is not set, not a", "without x_max_length"),
    ],
)
def test_each_form_of_the_precondition_error_is_read(said, what, cure):
    text = f"PRECONDITION_FAILED - inequivalent arg 'x-max-length' for queue 'stock' in vhost '/': {said}"
    explanation, advice = explained(text)
    assert what in explanation
    assert cure in advice


def test_a_refusal_that_nobody_has_explained_comes_back_as_it_is():
    assert explained("ACCESS_REFUSED - go away")[0] == "ACCESS_REFUSED - go away"


def test_basic_get_on_a_stream_closes_the_connection_and_is_explained(stream):
    refused = pytest.raises(BrokerError, match="cannot be read by basic_get")
    with refused as caught, topology.channel(lab.rabbitmq_parameters()) as channel:
        channel.basic_get(stream)
    assert stream in caught.value.what
    assert "x-stream-offset" in caught.value.cure


def test_a_stream_read_without_a_prefetch_is_explained(stream):
    refused = pytest.raises(BrokerError, match="only read with a prefetch")
    with refused as caught, topology.channel(lab.rabbitmq_parameters()) as channel:
        channel.basic_consume(stream, lambda *_: None)
    assert "basic_qos" in caught.value.cure


def test_a_topic_with_another_number_of_partitions_says_both_numbers(topic):
    kafka.create_topics(lab.kafka_config(), {topic: 3})
    with pytest.raises(BrokerError, match="there already, with 3 partitions and not 5") as caught:
        kafka.create_topics(lab.kafka_config(), {topic: 5})
    assert "ask for 3" in caught.value.cure
    assert "delete_topics" in caught.value.cure


def test_a_group_name_that_was_used_is_told_before_its_reader_waits_for_nothing(topic):
    config, group = lab.kafka_config(), fresh("test")
    publish_to_kafka(topic, made(6))
    before = kafka.group_position(config, group, topic)
    assert (before.used, before.waiting, before.kept) == (False, 6, 6)
    assert "it gets all 6 events" in str(before)
    first = kafka.Consumer(config, group, [topic])
    assert len(read_kafka(first, 6)) == 6
    first.commit()
    first.close()
    after = kafka.group_position(config, group, topic)
    assert (after.used, after.waiting, after.kept) == (True, 0, 6)
    assert "it gets none of the 6 events" in str(after)
    again = kafka.Consumer(config, group, [topic])
    publish_to_kafka(topic, made(1))
    assert len(read_kafka(again, 1)) == 1, "it is alive, and gets what is new, not what was read"
    again.close()


def test_a_group_in_a_topic_that_is_not_there_is_an_error():
    with pytest.raises(BrokerError, match="no topic"):
        kafka.group_position(lab.kafka_config(), fresh("test"), fresh("nobody-made-this"))
