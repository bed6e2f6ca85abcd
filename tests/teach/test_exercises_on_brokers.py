"""Exercises on the real brokers: they find what the stand-ins find, say what is true, and leave nothing behind."""

from typing import Any

import pika
import pytest
from confluent_kafka.admin import AdminClient

from labkit import lab
from labkit.base.errors import BrokerError
from labkit.brokers.kafka.topics import quiet
from labkit.lessons.log_and_queue import exercises as log_and_queue
from labkit.lessons.publish_and_subscribe import exercises as publish_and_subscribe
from labkit.teach.checks import channel as check_channel
from labkit.teach.checks import exchange as check_exchange

pytestmark = pytest.mark.usefixtures("brokers")

ON_RABBITMQ = [
    (publish_and_subscribe.subscribe, publish_and_subscribe.on_rabbitmq),
    (log_and_queue.bind, log_and_queue.bind_on_rabbitmq),
    (log_and_queue.settle, log_and_queue.settle_on_rabbitmq),
]
ON_KAFKA = [
    (publish_and_subscribe.subscribe, publish_and_subscribe.on_kafka),
    (log_and_queue.commit, log_and_queue.commit_on_kafka),
]
RABBITMQ_ANSWERS = [
    (exercise, check, answer)
    for exercise, check in ON_RABBITMQ
    for answer in (exercise.answer, *(wrong.answer for wrong in exercise.wrong))
]


def name_of(one: Any) -> str:
    return getattr(one, "__name__", "").strip("_") or getattr(one, "name", "")


def words(verdict: Any) -> list[str]:
    return [one.text for one in verdict.findings or ()]


@pytest.mark.parametrize(("exercise", "check", "answer"), RABBITMQ_ANSWERS, ids=name_of)
def test_rabbitmq_finds_what_the_stand_in_finds(exercise: Any, check: Any, answer: Any) -> None:
    verdict = check(answer, lab.rabbitmq_parameters())
    assert words(verdict) == words(exercise.check(answer))
    assert bool(verdict) == (answer is exercise.answer)


@pytest.mark.parametrize(
    "answer", [log_and_queue.commit.answer, *(one.answer for one in log_and_queue.commit.wrong)], ids=name_of
)
def test_kafka_finds_what_the_list_finds(answer: Any) -> None:
    verdict = log_and_queue.commit_on_kafka(answer, lab.kafka_config())
    assert words(verdict) == words(log_and_queue.commit.check(answer))
    assert bool(verdict) == (answer is log_and_queue.commit.answer)


def test_group_ids_of_a_good_subscription_give_each_service_its_copy_on_kafka() -> None:
    wrong = {one.misconception: one.answer for one in publish_and_subscribe.subscribe.wrong}
    shared = wrong["who is bound to the exchange gets everything"]
    apart = wrong["every process needs a queue of its own"]
    assert publish_and_subscribe.on_kafka(publish_and_subscribe.subscribe.answer, lab.kafka_config())
    assert "out of the same place" in repr(publish_and_subscribe.on_kafka(shared, lab.kafka_config()))
    assert "both workers of inventory got them" in repr(publish_and_subscribe.on_kafka(apart, lab.kafka_config()))


@pytest.mark.parametrize(("exercise", "check"), [*ON_RABBITMQ, *ON_KAFKA], ids=name_of)
def test_an_untouched_stub_troubles_no_broker(exercise: Any, check: Any) -> None:
    assert not check(exercise.stub, {}).attempted
    assert not check(..., {}).attempted


def test_a_broker_that_is_not_there_is_an_error_and_no_wrong_answer() -> None:
    nowhere = pika.ConnectionParameters("127.0.0.1", 1)
    for exercise, check in ON_RABBITMQ:
        with pytest.raises(BrokerError, match="does not answer"):
            check(exercise.answer, nowhere)


def test_a_check_leaves_no_queue_and_no_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[check_channel.Declared] = []
    begin = check_channel.Declared.__init__

    def kept(self: Any, *arguments: Any) -> None:
        begin(self, *arguments)
        made.append(self)

    monkeypatch.setattr(check_channel.Declared, "__init__", kept)
    for exercise, check in ON_RABBITMQ:
        assert check(exercise.answer, lab.rabbitmq_parameters())
    assert len(made) == len(ON_RABBITMQ)
    for declared in made:
        assert declared.durable
        for verb, names in (("queue_declare", declared.durable), ("exchange_declare", declared.exchanges)):
            for name in names:
                assert name.startswith(declared.prefix)
                assert not is_there(verb, name)


def is_there(verb: str, name: str) -> bool:
    with pika.BlockingConnection(lab.rabbitmq_parameters()) as connection:
        try:
            getattr(connection.channel(), verb)(name, passive=True)
        except pika.exceptions.ChannelClosedByBroker as error:
            assert error.reply_code == 404
            return False
    return True


def test_a_check_leaves_no_topic() -> None:
    def topics() -> set[str]:
        return {
            one for one in AdminClient(quiet(lab.kafka_config())).list_topics(timeout=10).topics if "exercise" in one
        }

    before = topics()
    for exercise, check in ON_KAFKA:
        assert check(exercise.answer, lab.kafka_config())
    assert topics() <= before


# --- what the stand-in says of patterns

PATTERNS = [
    "#",
    "*",
    "order",
    "order.#",
    "order.*",
    "order.*.*",
    "order.*.de",
    "*.*.de",
    "#.de",
    "#.placed.#",
    "order.#.de",
    "",
]
KEYS = ["", "order", "order.placed", "order.placed.de", "order.placed.fr.de", "stock.low.de", "placed"]


def test_the_stand_in_reads_patterns_as_rabbitmq_does() -> None:
    declared = check_channel.Declared("patterns-")
    seen: dict[str, list[str]] = {}
    with pika.BlockingConnection(lab.rabbitmq_parameters()) as connection:
        ch = connection.channel()
        exchange, names = declared.real("x"), {pattern: f"{declared.prefix}{n}" for n, pattern in enumerate(PATTERNS)}
        try:
            ch.exchange_declare(exchange, "topic")
            for pattern, name in names.items():
                ch.queue_declare(name, exclusive=True)
                ch.queue_bind(name, exchange, pattern)
            ch.confirm_delivery()
            for key in KEYS:
                ch.basic_publish(exchange, key, key.encode())
            for pattern, name in names.items():
                seen[pattern] = []
                while (got := ch.basic_get(name, auto_ack=True))[0]:
                    seen[pattern].append(got[2].decode())
        finally:
            ch.exchange_delete(exchange)
    assert seen == {pattern: [key for key in KEYS if check_exchange.matches(pattern, key)] for pattern in PATTERNS}
