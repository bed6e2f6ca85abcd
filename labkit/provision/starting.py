"""What all native brokers need while they start: patience that ends when the program dies, and a second try when a port
is lost."""

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from labkit.base import patience
from labkit.base.errors import BrokerError
from labkit.provision.child import Child

T = TypeVar("T")

TRIES = 3
READY_WITHIN_S = 90.0
_PORT_LOST = ("address already in use", "eaddrinuse", "port_in_use")


class PortLostError(BrokerError):
    """The broker could not listen: between the look for a free port and its start, somebody else took it."""


def await_ready(children: Sequence[Child], ready: Callable[[], bool], within_s: float = READY_WITHIN_S) -> None:
    """Ask `ready` until it says yes. Raises BrokerError, with the last lines of the log, when a program dies or time is
    up."""
    within_s = patience.seconds(within_s)
    end = time.monotonic() + within_s
    while not ready():
        for child in children:
            if not child.alive():
                raise _died(child)
        if time.monotonic() > end:
            child = children[0]
            raise BrokerError(
                f"{child.name} runs, but did not answer within {within_s:g} s. {_log(child)}",
                "a very busy machine may need a second try; `python -m labkit doctor` looks at memory and disk",
            )
        time.sleep(0.05)


def with_fresh_ports(start: Callable[[], T]) -> T:
    """Call `start`, again when it lost a port; it must look for new ports each time."""
    for attempt in range(TRIES):
        try:
            return start()
        except PortLostError:
            if attempt == TRIES - 1:
                raise
    raise AssertionError("unreachable")


def _log(child: Child) -> str:
    return f"The end of its log ({child.log}):\n{child.tail()}"


def _died(child: Child) -> BrokerError:
    text = child.tail(60)
    if any(sign in text.lower() for sign in _PORT_LOST):
        return PortLostError(
            f"{child.name} could not listen: another program took its port.",
            "try again; if it stays so, see with `ss -ltnp` who opens ports between 20000 and 32000",
        )
    if "no space left" in text.lower():
        return BrokerError(
            f"{child.name} died while starting: the disk is full.",
            "free some space, or put the lab elsewhere with LABKIT_HOME",
        )
    return BrokerError(
        f"{child.name} died while starting (exit code {child.exit_code}). {_log(child)}",
        "the log's last lines usually name the reason; `python -m labkit doctor` looks at Java, memory and disk",
    )
