"""What all tests share."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from labkit import lab
from labkit.base import browser as installed
from labkit.base import patience
from labkit.base.names import fresh
from labkit.brokers import kafka, rabbitmq

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from labkit.desk.page import LabServer


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Without a Chromium the browser tests are skipped with a word; where CI says that it is CI, they fail."""
    if item.get_closest_marker("browser") and installed.find() is None:
        why = f"no Chromium here: {installed.CURE}"
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


@pytest.fixture(scope="session")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[LabServer]":
    """One JupyterLab for all tests in a browser: put your notebook into it. Its kernels use this lab."""
    from labkit.desk.page import lab_server

    with lab_server(tmp_path_factory.mktemp("jupyter")) as server:
        yield server


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    """One Chromium for all of them. While it is open, asyncio.run cannot be used: they are a group of their own."""
    from labkit.desk.page import chromium

    with chromium() as found:
        yield found


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
