"""How tests run side by side, whatever part of them is asked for: what stays together, and whose brokers they use."""

import os
from functools import cache
from typing import Any

import pytest

from labkit.base import patience, settings

_WORKER = os.environ.get("PYTEST_XDIST_WORKER")


def pytest_configure(config: pytest.Config) -> None:
    """Each worker has a lab of its own, so that a test can see what it has left on the brokers."""
    if _WORKER:
        lab = settings.read()
        os.environ["LABKIT_CACHE"] = str(lab.cache)
        config.stash[_HOMES] = str(lab.home), str(lab.home / _WORKER)


_HOMES = pytest.StashKey[tuple[str, str]]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.suffix == ".ipynb":
            item.add_marker(pytest.mark.timeout(0))  # a cell has a limit of its own
        elif limit := item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(patience.seconds(limit.args[0])), append=False)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """The notebooks share one lab, so that their second round meets what the first has left there."""
    if _WORKER:
        shared, own = item.config.stash[_HOMES]
        os.environ["LABKIT_HOME"] = shared if item.path.suffix == ".ipynb" else own


@pytest.hookimpl(optionalhook=True)  # a learner has no pytest-xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """The cells of a notebook stay on one worker, and so do tests that share a fixture of their module."""
    from xdist.scheduler import LoadScopeScheduling

    @cache
    def stays_together(file: str) -> bool:
        return file.endswith(".ipynb") or 'scope="module"' in (config.rootpath / file).read_text("utf-8")

    class Together(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return file if stays_together(file) else nodeid

    return Together(config, log)
