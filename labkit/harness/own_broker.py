"""A broker of a run's own, beside the lab's: to be measured, or to be killed."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from labkit.base import settings
from labkit.base.names import fresh
from labkit.provision.model import Place, Say, Started


@contextmanager
def own_broker(start: Callable[[Place, Say], Started], say: Say = lambda _: None) -> Iterator[tuple[Started, Path]]:
    """A broker for the length of a `with`, and the folder of its data; both are gone afterwards, and its log too.

    Raises BrokerError when it does not start.
    """
    found = settings.read()
    home = found.home / "work" / fresh(f"broker-{os.getpid()}")  # should it ever be left: whose it was
    place = Place(replace(found, home=home), home / "run")
    place.run.mkdir(parents=True)
    try:
        started = start(place, say)
        try:
            yield started, place.run
        finally:
            started.stop()
    finally:
        shutil.rmtree(home, ignore_errors=True)
