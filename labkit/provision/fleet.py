"""The brokers of one lab, as one thing: started together, revived, stopped together."""

import traceback
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from labkit.base import errors
from labkit.provision import ladder
from labkit.provision.model import Place, Say, Started

BROKERS = ("kafka", "rabbitmq")


class Fleet:
    """Kafka and RabbitMQ of one lab. Its methods block; `status` may be called from another thread meanwhile."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._started: dict[str, Started] = {}

    def start(self, say: Say) -> list[Exception]:
        """Start both at the same time. Returns what went wrong; what did start is left to `stop`."""
        with ThreadPoolExecutor(len(BROKERS)) as pool:
            futures = [pool.submit(self._provide, name, say) for name in BROKERS]
        return [error for future in futures if isinstance(error := future.exception(), Exception)]

    def _all(self) -> list[Started]:
        """What has started, Kafka first, whichever was quicker."""
        return [self._started[name] for name in BROKERS if name in self._started]

    def _provide(self, name: str, say: Say) -> None:
        self._started[name] = ladder.provide(name, self._place, say)

    def revive(self) -> None:
        """Start again, on its data and ports, what has died. Raises what its start raises."""
        for started in self._all():
            if started.revive and not started.alive():
                started.revive()

    def stop(self) -> None:
        if self._started:
            with ThreadPoolExecutor(len(self._started)) as pool:
                list(pool.map(Started.stop, self._all()))

    def ready(self) -> list[dict[str, Any]]:
        """What a holder is told, addresses and passwords included."""
        return [started.running.to_json() for started in self._all()]

    def status(self) -> list[dict[str, Any]]:
        """What may be shown: no passwords."""
        return [
            {
                **{key: value for key, value in started.running.to_json().items() if key != "client"},
                "alive": started.alive(),
                "pids": [process.pid for process in started.processes],
            }
            for started in self._all()
        ]


def as_failure(wrong: Sequence[Exception]) -> dict[str, str]:
    """Errors as one message; the holder makes an exception of it again. A surprise goes to the supervisor's log."""
    known = []
    for error in wrong:
        if isinstance(error, errors.LabError):
            known.append(error)
        else:
            traceback.print_exception(error)
            known.append(errors.LabError(f"labkit failed: {error!r}.", "see `python -m labkit logs supervisor`"))
    return {
        "kind": type(known[0]).__name__,
        "what": "\n".join(error.what for error in known),
        "cure": "; ".join(dict.fromkeys(error.cure for error in known)),
    }
