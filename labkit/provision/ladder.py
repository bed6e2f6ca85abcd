"""The ladder: the ways to a broker, tried from the top. The first that works is taken, and the others' reasons are
kept."""

import errno
import importlib
from collections.abc import Callable, Iterator

from labkit.base.errors import BrokerError, LabError, StorageError
from labkit.provision.model import NAMES, Place, Say, Started

_FUNCTIONS = {
    ("external", "kafka"): "external:start_kafka",
    ("docker", "kafka"): "docker:start_kafka",
    ("native", "kafka"): "native_kafka:start",
    ("embedded", "kafka"): "embedded:start_kafka",
    ("external", "rabbitmq"): "external:start_rabbitmq",
    ("docker", "rabbitmq"): "docker:start_rabbitmq",
    ("native", "rabbitmq"): "native_rabbitmq:start",
}


def provide(broker: str, place: Place, say: Say) -> Started:
    """Start "kafka" or "rabbitmq" from the first rung that can.

    An external address is an order: when it fails, nothing else is tried. Raises BrokerError that lists every rung and
    its cure, SettingError for a wrong setting, StorageError when the lab's folder cannot be written.
    """
    reasons: list[str] = []
    for rung in rungs(broker, place):
        try:
            return _function(rung, broker)(place, say)
        except BrokerError as error:
            if rung in ("external", "embedded"):
                raise
            reasons.append(f"  - {rung}: {error.what}\n    {error.cure}")
            say(f"{NAMES[broker]}: not from {rung}: {error.what.splitlines()[0]}")
        except OSError as error:
            raise storage_error(error, place) from error
    listed = "\n".join(reasons) or "  - none was allowed (LABKIT_FROM)"
    raise BrokerError(f"{NAMES[broker]} could not be installed. Tried, in this order:\n{listed}", _ONE_OF_THESE[broker])


_ONE_OF_THESE = {
    "kafka": "mend one of these ways, or give an address in LABKIT_KAFKA; `--embedded` takes a stand-in",
    "rabbitmq": "mend one of these ways, or give an address in LABKIT_RABBITMQ",
}


def rungs(broker: str, place: Place) -> Iterator[str]:
    """The rungs to try for a broker, in order."""
    settings = place.settings
    given = (settings.kafka or settings.kafka_config) if broker == "kafka" else settings.rabbitmq
    if given and "external" in settings.rungs:
        yield "external"
    elif broker == "kafka" and place.wanted.embedded:
        yield "embedded"
    else:
        yield from (rung for rung in settings.rungs if rung != "external")


def _function(rung: str, broker: str) -> Callable[[Place, Say], Started]:
    module, name = _FUNCTIONS[rung, broker].split(":")
    # Loaded when its turn comes: a lab that finds Docker need not load the rest.
    start: Callable[[Place, Say], Started] = getattr(importlib.import_module(f"labkit.provision.{module}"), name)
    return start


def storage_error(error: OSError, place: Place) -> LabError:
    """The user's words for a disk that is full, read-only or somebody else's; other errors are kept as they are."""
    home = place.settings.home
    reason = {
        errno.ENOSPC: "the disk is full",
        errno.EDQUOT: "your quota on that disk is used up",
        errno.EROFS: "the disk is read-only",
        errno.EACCES: "you may not write there",
        errno.EPERM: "you may not write there",
    }.get(error.errno or 0)
    if reason is None:
        return BrokerError(f"The system refused something: {error}.", "see `python -m labkit doctor`")
    where = error.filename or home
    return StorageError(
        f"The lab cannot write {where}: {reason}.", "free some space, or set LABKIT_HOME to a folder of yours"
    )
