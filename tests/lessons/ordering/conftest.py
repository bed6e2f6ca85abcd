"""What the tests of lesson 08 share."""

import threading
from collections.abc import Iterator

import pytest
from confluent_kafka.admin import AdminClient

from labkit import lab
from labkit.base import names
from labkit.base.errors import BrokerError
from labkit.brokers.rabbitmq.topology import channel


@pytest.fixture
def nothing_left(brokers: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """After every test: no topic and no exchange of its runs, and no thread that would keep Python alive."""
    before = {thread.ident for thread in threading.enumerate()}
    made, fresh = set[str](), names.fresh

    def noted(word: str) -> str:
        made.add(name := fresh(word))
        return name

    monkeypatch.setattr(names, "fresh", noted)
    yield
    topics = AdminClient(lab.kafka_config()).list_topics(timeout=10).topics
    assert [topic for topic in topics if topic.startswith(tuple(made))] == []
    assert [name for name in made if _is_exchange(name)] == []
    assert [t.name for t in threading.enumerate() if t.ident not in before and not t.daemon] == []


def _is_exchange(name: str) -> bool:
    try:
        with channel(lab.rabbitmq_parameters()) as ch:
            ch.exchange_declare(name, passive=True)
    except BrokerError:
        return False
    return True
