"""Topics, and the few things that producer and consumer have in common."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

import confluent_kafka as ck
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # exported without saying so

from labkit.base.errors import BrokerError

BROKER = "kafka"
PATIENCE_S = 10.0  # seconds that Kafka may take for one step
DEAD_SUFFIX = ".dead"  # what cannot be read of the topic `orders` goes to `orders.dead`
CURE = "is the topic made (`create_topics`)? look at `python -m labkit status` and `python -m labkit logs kafka`"

_log = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())  # librdkafka talks a lot; who wants to hear it configures logging


def create_topics(config: Mapping[str, Any], topics: Mapping[str, int], **settings: str) -> None:
    """Make these topics: name -> number of partitions. A topic that is there already stays as it is.

    settings: the topics' own, with `_` for `.`: cleanup_policy="compact". Raises BrokerError.
    """
    new = [NewTopic(name, partitions, config=dotted(settings)) for name, partitions in topics.items()]
    admin = AdminClient(quiet(config))  # kept in a name: its answers die with it
    made = admin.create_topics(new, request_timeout=PATIENCE_S)
    for name, future in made.items():
        try:
            future.result()
        except ck.KafkaException as error:
            if error.args[0].code() != ck.KafkaError.TOPIC_ALREADY_EXISTS:
                raise BrokerError(f"Kafka did not make the topic {name}: {said(error)}.", CURE) from error


def delete_topics(config: Mapping[str, Any], topics: Iterable[str]) -> None:
    """Delete these topics with all that is in them. One that is not there is no error. Raises BrokerError."""
    names = list(topics)
    admin = AdminClient(quiet(config))
    deleted = admin.delete_topics(names, request_timeout=PATIENCE_S) if names else {}
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
    """`linger_ms=5` as Kafka calls it: `linger.ms`."""
    return {name.replace("_", "."): value for name, value in settings.items()}


def said(error: ck.KafkaException) -> str:
    """Kafka's own words for an error."""
    return str(error.args[0].str())


class Channels(dict[tuple[str | None, int | None], str]):
    """(topic, partition) -> `orders/2`; every name is made once."""

    def __missing__(self, place: tuple[str | None, int | None]) -> str:
        name = self[place] = f"{place[0]}/{place[1]}"
        return name
