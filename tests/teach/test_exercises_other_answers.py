"""Exercises: right answers in another style are right, and mistakes that end in an error are told."""

from typing import Any

import pytest
from confluent_kafka import TopicPartition

from labkit import lab
from labkit.lessons.log_and_queue import exercises as log_and_queue
from labkit.lessons.publish_and_subscribe import exercises as publish_and_subscribe


def named(channel: Any, exchange: str, service: str, worker: int) -> str:
    name = f"{exchange}.{service}"
    channel.queue_declare(queue=name, durable=True, arguments={"x-queue-type": "quorum"})
    channel.queue_bind(queue=name, exchange=exchange, routing_key="order.#")
    return name


def by_list(channel: Any, exchange: str, service: str, worker: int) -> str:
    declared = channel.queue_declare(service, False, True, False, False)
    channel.queue_bind(declared.method.queue, exchange, "order.placed.*")
    channel.basic_qos(prefetch_count=1)
    return str(declared.method.queue)


def word_by_word(channel: Any, exchange: str) -> None:
    channel.exchange_declare(exchange, "topic", durable=True, arguments={"alternate-exchange": f"{exchange}.rest"})
    channel.exchange_declare(f"{exchange}.rest", exchange_type="topic")
    wanted = {
        "germany": ("order.*.de", "order.*.de.*"),
        "cancelled": ("*.cancelled.*", "*.cancelled.*.*"),
        "audit": ("order.*.*", "order.*.*.*"),
    }
    for queue, patterns in wanted.items():
        channel.queue_declare(queue, durable=True)
        for pattern in patterns:
            channel.queue_bind(queue, exchange, routing_key=pattern)
    channel.queue_declare("lost")
    channel.queue_bind("lost", f"{exchange}.rest", "#")


def with_what_is_there(channel: Any, exchange: str) -> None:
    channel.exchange_declare(exchange, "topic", arguments={"alternate-exchange": "amq.fanout"})
    for queue, pattern in (("germany", "order.*.de.#"), ("cancelled", "#.cancelled.#"), ("audit", "order.#")):
        channel.queue_declare(queue, exclusive=True)
        channel.queue_bind(queue, exchange, pattern)
    channel.queue_declare("lost")
    channel.queue_bind("lost", "amq.fanout")


def nacks(channel: Any, method: Any, body: bytes, reserve: Any) -> None:
    tag = method.delivery_tag
    try:
        reserve(body)
        channel.basic_ack(delivery_tag=tag)
    except Exception as error:
        channel.basic_nack(tag, False, isinstance(error, ConnectionError))


def tries_twice_on_the_spot(channel: Any, method: Any, body: bytes, reserve: Any) -> None:
    for _ in range(2):
        try:
            reserve(body)
        except ConnectionError:
            continue
        except ValueError:
            break
        channel.basic_ack(method.delivery_tag)
        return
    channel.basic_reject(method.delivery_tag, requeue=False)


def seeks(consumer: Any, message: Any, reserve: Any, dead_letter: Any) -> None:
    try:
        reserve(message.value())
    except ConnectionError:
        consumer.seek(TopicPartition(message.topic(), message.partition(), message.offset()))
        return
    except ValueError:
        dead_letter(message.value(), "no order")
    consumer.commit(message=message, asynchronous=False)


def commits_a_place(consumer: Any, message: Any, reserve: Any, dead_letter: Any) -> None:
    try:
        reserve(message.value())
    except ConnectionError:
        reserve(message.value())
    except ValueError:
        dead_letter(message.value(), "no order")
    place = TopicPartition(message.topic(), message.partition(), message.offset() + 1)
    consumer.commit(offsets=[place], asynchronous=False)


def commits_all_it_read(consumer: Any, message: Any, reserve: Any, dead_letter: Any) -> None:
    try:
        reserve(message.value())
    except ValueError:
        dead_letter(message.value(), "no order")
    consumer.commit()


OTHERS = [
    (publish_and_subscribe.subscribe, publish_and_subscribe.on_rabbitmq, named),
    (publish_and_subscribe.subscribe, publish_and_subscribe.on_rabbitmq, by_list),
    (publish_and_subscribe.subscribe, publish_and_subscribe.on_kafka, named),
    (log_and_queue.bind, log_and_queue.bind_on_rabbitmq, word_by_word),
    (log_and_queue.bind, log_and_queue.bind_on_rabbitmq, with_what_is_there),
    (log_and_queue.settle, log_and_queue.settle_on_rabbitmq, nacks),
    (log_and_queue.settle, log_and_queue.settle_on_rabbitmq, tries_twice_on_the_spot),
    (log_and_queue.commit, log_and_queue.commit_on_kafka, seeks),
    (log_and_queue.commit, log_and_queue.commit_on_kafka, commits_a_place),
    (log_and_queue.commit, log_and_queue.commit_on_kafka, commits_all_it_read),
]


@pytest.mark.parametrize(("exercise", "on_broker", "answer"), OTHERS, ids=lambda one: getattr(one, "__name__", ""))
def test_another_right_answer_is_right_on_the_stand_in_and_on_the_real_broker(
    exercise: Any, on_broker: Any, answer: Any
) -> None:
    lab.start()
    where = lab.kafka_config() if "kafka" in on_broker.__name__ else lab.rabbitmq_parameters()
    assert exercise.check(answer), repr(exercise.check(answer))
    verdict = on_broker(answer, where)
    assert verdict, repr(verdict)


def forgets_to_declare(channel: Any, exchange: str, service: str, worker: int) -> str:
    channel.queue_bind(service, exchange, "#")
    return service


def keeps_it_to_itself(channel: Any, exchange: str, service: str, worker: int) -> str:
    channel.queue_declare(service, exclusive=True)
    channel.queue_bind(service, exchange, "#")
    return service


def forgets_to_return(channel: Any, exchange: str, service: str, worker: int) -> None:
    channel.queue_declare(service, durable=True)
    channel.queue_bind(service, exchange, "#")


def names_another(channel: Any, exchange: str, service: str, worker: int) -> str:
    named(channel, exchange, service, worker)
    return service.upper()


def declares_for_ever(channel: Any, exchange: str, service: str, worker: int) -> str:
    while True:
        try:
            channel.queue_declare(service, durable=True)
        except Exception:
            continue


def makes_a_new_kind(channel: Any, exchange: str) -> None:
    channel.exchange_declare(exchange, "topics")


def leaves_out_the_exchange(channel: Any, exchange: str) -> None:
    channel.queue_declare("germany")


def settles_twice(channel: Any, method: Any, body: bytes, reserve: Any) -> None:
    try:
        reserve(body)
    except ConnectionError:
        channel.basic_nack(method.delivery_tag)
    except ValueError:
        channel.basic_reject(method.delivery_tag, requeue=False)
    channel.basic_ack(method.delivery_tag)


def tries_for_ever(channel: Any, method: Any, body: bytes, reserve: Any) -> None:
    while True:
        try:
            reserve(body)
        except Exception:
            continue
        channel.basic_ack(method.delivery_tag)
        return


def misspells(channel: Any, method: Any, body: bytes, reserve: Any) -> None:
    reserve(body)
    channel.basic_akc(method.delivery_tag)


def seeks_for_ever(consumer: Any, message: Any, reserve: Any, dead_letter: Any) -> None:
    consumer.seek(TopicPartition(message.topic(), message.partition(), message.offset()))


MISTAKES = [
    (publish_and_subscribe.subscribe, publish_and_subscribe.on_rabbitmq, forgets_to_declare, "no queue 'inventory'"),
    (publish_and_subscribe.subscribe, publish_and_subscribe.on_rabbitmq, keeps_it_to_itself, "RESOURCE_LOCKED"),
    (
        publish_and_subscribe.subscribe,
        publish_and_subscribe.on_rabbitmq,
        forgets_to_return,
        "return the name of the queue",
    ),
    (publish_and_subscribe.subscribe, publish_and_subscribe.on_rabbitmq, names_another, "no queue 'INVENTORY'"),
    (
        publish_and_subscribe.subscribe,
        publish_and_subscribe.on_rabbitmq,
        declares_for_ever,
        "does the function ever stop?",
    ),
    (log_and_queue.bind, log_and_queue.bind_on_rabbitmq, makes_a_new_kind, "unknown exchange type"),
    (log_and_queue.bind, log_and_queue.bind_on_rabbitmq, leaves_out_the_exchange, "The exchange was not declared"),
    (log_and_queue.settle, log_and_queue.settle_on_rabbitmq, settles_twice, "unknown delivery tag"),
    (log_and_queue.settle, log_and_queue.settle_on_rabbitmq, tries_for_ever, "does the function ever stop?"),
    (log_and_queue.settle, log_and_queue.settle_on_rabbitmq, misspells, "basic_akc"),
    (log_and_queue.commit, log_and_queue.commit_on_kafka, seeks_for_ever, "the whole partition waits"),
]


@pytest.mark.parametrize(
    ("exercise", "on_broker", "answer", "told"), MISTAKES, ids=lambda one: getattr(one, "__name__", "")
)
def test_a_mistake_is_told_by_the_stand_in_and_by_the_real_broker(
    exercise: Any, on_broker: Any, answer: Any, told: str
) -> None:
    lab.start()
    where = lab.kafka_config() if "kafka" in on_broker.__name__ else lab.rabbitmq_parameters()
    for verdict in (exercise.check(answer), on_broker(answer, where)):
        assert verdict.attempted
        assert not verdict
        assert told in repr(verdict)


def test_an_error_is_told_with_the_line_of_the_answer_and_not_of_the_library() -> None:
    lab.start()
    for verdict in (
        publish_and_subscribe.subscribe.check(forgets_to_declare),
        publish_and_subscribe.on_rabbitmq(forgets_to_declare, lab.rabbitmq_parameters()),
    ):
        assert '`channel.queue_bind(service, exchange, "#")`' in repr(verdict)


def test_an_answer_with_the_wrong_arguments_is_told_so_and_nothing_else() -> None:
    for exercise in (*publish_and_subscribe.ALL, *log_and_queue.ALL):
        verdict = exercise.check(lambda a, b, c, d, e, f, g: None)
        assert [one.right for one in verdict.findings or ()] == [False]
        assert "raised TypeError" in repr(verdict)
        assert "labkit" not in repr(verdict)
        assert ", at `" not in repr(verdict)
