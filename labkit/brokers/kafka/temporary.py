"""Topics of a run: made at its beginning, deleted at its end, with all that belongs to them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from labkit.base.cleanup import cleanup
from labkit.base.errors import BrokerError
from labkit.base.names import fresh
from labkit.brokers.dead_letters import dead_name
from labkit.brokers.kafka.groups import delete_groups, list_groups
from labkit.brokers.kafka.producer import Producer
from labkit.brokers.kafka.topics import delete_topics, make_topics


@contextmanager
def temporary_topics(config: Mapping[str, Any], topics: Mapping[str, int], **settings: str) -> Iterator[None]:
    """Topics for the length of a `with`: name -> number of partitions. Take a fresh name (`names.fresh`).

    At the end they are deleted, with their dead letters (`<topic>.dead`) and the consumer groups that are named after
    them: `<topic>`, `<topic>.…`, `<topic>-…`. A Kafka that has died by then does not hide the error of the body.
    settings: the topics' own, as in `create_topics`. Raises BrokerError.
    """
    mine = list(topics)
    with cleanup(lambda: _delete(config, mine)):
        if there := make_topics(config, topics, **settings):
            mine = [name for name in topics if name not in there]
            raise BrokerError(
                f"{', '.join(there)} is there already: it would be deleted at the end, with all that is in it.",
                "take a fresh name (`names.fresh`), or make it with `create_topics`",
            )
        yield


def _delete(config: Mapping[str, Any], topics: Sequence[str]) -> None:
    delete_topics(config, [name for topic in topics for name in (topic, dead_name(topic))])
    begins = tuple(topic + mark for topic in topics for mark in ".-")
    delete_groups(config, [group for group in list_groups(config) if group in topics or group.startswith(begins)])


def warm_up(config: Mapping[str, Any], *producers: Producer) -> None:
    """Let each of these producers get what it needs once: a connection, and its id.

    Kafka numbers idempotent producers, and that can take half a second: an event that is timed should not wait for it.
    The producers publish to a topic that is deleted at once. Raises BrokerError.
    """
    topic = fresh("warm-up")
    with temporary_topics(config, {topic: 1}):
        for producer in producers:
            producer.client.produce(topic, b"")
        for producer in producers:
            producer.flush()
