"""What all tests share."""

import os
from collections.abc import Iterator

import pytest

from labkit import lab
from labkit.base import browser, patience
from labkit.base.names import fresh
from labkit.brokers import kafka, rabbitmq


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Without a Chromium the browser tests are skipped with a word; where CI says that it is CI, they fail."""
    if item.get_closest_marker("browser") and browser.find() is None:
        why = f"no Chromium here: {browser.CURE}"
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail(why, pytrace=False)
        pytest.skip(why)


@pytest.fixture(scope="module")
def brokers() -> Iterator[None]:
    """The lab, held while the tests of one file run."""
    lab.start()
    yield
    lab.stop()


@pytest.fixture
def topic() -> Iterator[str]:
    """A topic of three partitions, deleted afterwards."""
    name = fresh("test")
    kafka.create_topics(lab.kafka_config(), {name: 3})
    yield name
    kafka.delete_topics(lab.kafka_config(), [name, name + kafka.DEAD_SUFFIX])


@pytest.fixture
def queue() -> Iterator[str]:
    """A queue with its dead letter queue, deleted afterwards."""
    name = fresh("test")
    rabbitmq.declare_queue(lab.rabbitmq_parameters(), name)
    yield name
    rabbitmq.delete(lab.rabbitmq_parameters(), name)


@pytest.fixture
def stream() -> Iterator[str]:
    """A stream, deleted afterwards."""
    name = fresh("test")
    rabbitmq.declare_stream(lab.rabbitmq_parameters(), name)
    yield name
    rabbitmq.delete(lab.rabbitmq_parameters(), name)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits a fifth as long: for what waits for a dead broker until its limit is over."""
    monkeypatch.setenv("LABKIT_PATIENCE", str(patience.factor() / 5))


@pytest.fixture
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment without any LABKIT_* variable."""
    for name in list(os.environ):
        if name.startswith("LABKIT_"):
            monkeypatch.delenv(name)
