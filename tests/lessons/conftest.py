"""What the tests of the lessons with a shop share."""

from collections.abc import Iterator

import pika
import pytest
from confluent_kafka.admin import AdminClient
from shop_processes import shop_processes

from labkit import lab
from labkit.base import names, settings
from labkit.shop.config import SUBSCRIBERS, queue_name


@pytest.fixture
def nothing_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """After the test, whatever it did: none of its services, files, topics and queues. The fresh names it has taken."""
    taken, fresh = list[str](), names.fresh

    def noted(prefix: str) -> str:
        taken.append(fresh(prefix))
        return taken[-1]

    monkeypatch.setattr(names, "fresh", noted)
    yield taken
    assert shop_processes() == []
    assert [name for name in taken if (settings.read().home / "work" / name).exists()] == []
    if taken:
        topics = AdminClient(lab.kafka_config()).list_topics(timeout=10).topics
        assert [topic for topic in topics if topic.startswith(tuple(taken))] == []
        with pika.BlockingConnection(lab.rabbitmq_parameters()) as connection:
            for queue in (each for name in taken for each in (name, *(queue_name(name, s) for s in SUBSCRIBERS))):
                with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="NOT_FOUND"):
                    connection.channel().queue_declare(queue, passive=True)
