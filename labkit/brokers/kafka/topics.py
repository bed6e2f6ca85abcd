"""Topics, and the few things that producer and consumer have in common."""

import logging
import socket
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import confluent_kafka as ck
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec  # type: ignore[attr-defined]  # exported without saying so

from labkit.base import patience
from labkit.base.errors import BrokerError
from labkit.base.wait import until

BROKER = "kafka"
TIMEOUT_S = 10.0  # that Kafka may take for one step, on a quiet machine
CURE = "is the topic made (`create_topics`)? look at `python -m labkit status` and `python -m labkit logs kafka`"
GONE = "run `lab.start()` again: it starts a broker that died on the data it had; or `python -m labkit status`"

_log = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())  # librdkafka talks a lot; who wants to hear it configures logging


def step_timeout_s() -> float:
    """Seconds that Kafka may take for one step here and now."""
    return patience.seconds(TIMEOUT_S)


def create_topics(config: Mapping[str, Any], topics: Mapping[str, int], **settings: str) -> None:
    """Make these topics: name -> number of partitions. One that is there with as many stays as it is.

    settings: the topics' own, with `_` for `.`: cleanup_policy="compact".
    Raises BrokerError, also when a topic is there with another number of partitions.
    """
    admin = _admin(config)  # kept in a name: its answers die with it
    for name in _make(admin, topics, dotted(settings)):
        has = _count(admin, name)
        if has != topics[name]:
            raise BrokerError(
                f"The topic {name} is there already, with {_partitions(has)} and not {topics[name]}.",
                f"ask for {has}, or take a fresh name (`names.fresh`), or delete it first with all that is in it "
                f"(`delete_topics`); it could only get more, and then a key's later events go to another partition",
            )


def make_topics(config: Mapping[str, Any], topics: Mapping[str, int], **settings: str) -> list[str]:
    """As `create_topics`, but a topic that is there stays as it is, with however many partitions: their names."""
    return _make(_admin(config), topics, dotted(settings))


def count_partitions(config: Mapping[str, Any], topic: str) -> int:
    """How many partitions the topic has; 0: there is no such topic. Raises BrokerError."""
    admin = _admin(config)
    try:
        return _count(admin, topic)
    except ck.KafkaException as error:
        raise BrokerError(f"Kafka does not tell the partitions of {topic}: {said(error)}.", CURE) from error


def _count(admin: AdminClient, topic: str) -> int:
    return len(admin.list_topics(topic, timeout=step_timeout_s()).topics[topic].partitions)


def provide_topic(config: Mapping[str, Any], name: str) -> None:
    """Make this topic with one partition, unless it is there, with however many. Raises BrokerError."""
    make_topics(config, {name: 1})


def _admin(config: Mapping[str, Any]) -> AdminClient:
    """librdkafka asks for ten seconds, also where nobody listens. Raises BrokerError at once when that is so."""
    servers = [server.strip() for server in str(config.get("bootstrap.servers", "")).split(",")]
    if servers and all(_refuses(server) for server in servers):
        raise BrokerError(f"Kafka does not answer: nobody listens at {', '.join(servers)}.", GONE)
    return AdminClient(quiet(config))


def _refuses(server: str) -> bool:
    host, _, port = server.rpartition(":")
    try:
        socket.create_connection((host, int(port)), step_timeout_s()).close()
    except ConnectionRefusedError:
        return True
    except (OSError, ValueError):  # librdkafka says better what is wrong with such an address
        return False
    return False


def _make(admin: AdminClient, topics: Mapping[str, int], settings: dict[str, Any]) -> list[str]:
    """Make them and wait for their leaders; those that were there already."""
    new = [NewTopic(name, partitions, config=settings) for name, partitions in topics.items()]
    there = []
    for name, future in admin.create_topics(new, request_timeout=step_timeout_s()).items():
        try:
            future.result()
        except ck.KafkaException as error:
            if error.args[0].code() != ck.KafkaError.TOPIC_ALREADY_EXISTS:
                raise BrokerError(f"Kafka did not make the topic {name}: {said(error)}.", CURE) from error
            there.append(name)
    for name in topics:
        until(partial(is_led, admin, name), TIMEOUT_S, f"every partition of {name} has its leader")
    return there


def _partitions(count: int) -> str:
    return f"{count} partition{'s' * (count != 1)}"


def is_led(admin: AdminClient, topic: str, partitions: int = 1) -> bool:
    """Whether the topic has at least so many partitions, and the leader of each answers.

    That is a moment after Kafka has said that they are made. An idempotent producer that is quicker can lose events
    that were confirmed: what is refused at first comes again behind its successor, and is then taken for a duplicate.
    """
    try:
        found = admin.list_topics(topic, timeout=step_timeout_s()).topics[topic].partitions
        latest = {ck.TopicPartition(topic, number): OffsetSpec.latest() for number in found}  # type: ignore[no-untyped-call]
        asked = admin.list_offsets(latest, request_timeout=step_timeout_s()) if found else {}
        return len(found) >= partitions and all(future.result() is not None for future in asked.values())
    except ck.KafkaException:
        return False


def delete_topics(config: Mapping[str, Any], topics: Iterable[str]) -> None:
    """Delete these topics with all that is in them. One that is not there is no error. Raises BrokerError."""
    names = list(topics)
    admin = _admin(config)
    deleted = admin.delete_topics(names, request_timeout=step_timeout_s()) if names else {}
    for name, future in deleted.items():
        try:
            future.result()
        except ck.KafkaException as error:
            if error.args[0].code() != ck.KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise BrokerError(f"Kafka did not delete the topic {name}: {said(error)}.", CURE) from error


def quiet(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with a logger: without one librdkafka writes its log straight to the terminal."""
    return {"logger": _log, **config}


def dotted(settings: Mapping[str, Any]) -> dict[str, Any]:
    """`linger_ms=5` as Kafka calls it: `linger.ms`. Callbacks keep their names: `stats_cb`."""
    return {name if name.endswith("_cb") else name.replace("_", "."): value for name, value in settings.items()}


def said(error: ck.KafkaException) -> str:
    """Kafka's own words for an error."""
    return str(error.args[0].str())


class Channels(dict[tuple[str | None, int | None], str]):
    """(topic, partition) -> `orders/2`; every name is made once."""

    def __missing__(self, place: tuple[str | None, int | None]) -> str:
        name = self[place] = f"{place[0]}/{place[1]}"
        return name
