"""What all tests share."""

import os
from collections.abc import Iterator

import pytest

from labkit import lab
from labkit.base import browser


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
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment without any LABKIT_* variable."""
    for name in list(os.environ):
        if name.startswith("LABKIT_"):
            monkeypatch.delenv(name)
