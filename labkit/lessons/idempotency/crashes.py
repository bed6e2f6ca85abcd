"""Who crashes where: decided by the seed, before the run. Each payment meets at most one crash."""

from collections.abc import Callable, Iterable, Mapping

from labkit.chaos.faults import Fault, FaultPlan, decide
from labkit.lessons.idempotency.steps import POINTS

SERVICE = "payment"


class Crash(Exception):  # noqa: N818  it is not an error of the lab: it was asked for
    """The consumer is gone: no more line of it runs."""


def planned(keys: Iterable[str], seed: int, rate: float) -> dict[str, str]:
    """payment -> the point at which the consumer crashes, the first time it comes there.

    rate: the part of payments that crash, 0 to 1, a third of them at each point.
    """
    fault = Fault(crash=rate / len(POINTS))
    plan = FaultPlan(seed, before_handle=fault, after_handle=fault, before_ack=fault)
    found: dict[str, str] = {}
    for key in keys:
        for point in POINTS:
            if decide(plan, SERVICE, point, key).crash:
                found[key] = point
                break
    return found


class CrashPlan:
    """The crashes that are still to come. die: what a crash does, handed the payment and the point."""

    def __init__(self, plan: Mapping[str, str], die: Callable[[str, str], None]) -> None:
        self.left = dict(plan)
        self.crashed: dict[str, str] = {}
        self._die = die

    def of(self, key: str) -> Callable[[str], None]:
        """What the steps of this payment call at each point."""

        def failpoint(point: str) -> None:
            if self.left.get(key) == point:
                self.crashed[key] = self.left.pop(key)
                self._die(key, point)

        return failpoint


def crash(key: str, point: str) -> None:
    """A crash inside this process: all that is not durable is dropped."""
    raise Crash(f"payment {key}, {point}")
