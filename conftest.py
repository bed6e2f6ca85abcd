"""Which tests stay together when tests run side by side, for whatever part of the course pytest is asked to run."""

from functools import cache
from typing import Any

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.suffix == ".ipynb":
            item.add_marker(pytest.mark.timeout(0))  # a cell has a limit of its own


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
