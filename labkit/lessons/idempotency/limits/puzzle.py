"""The puzzle of lesson 09: put the steps into an order, and it is run with a crash in every gap."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

from labkit import lab
from labkit.base.errors import SettingError
from labkit.events.trace import Trace
from labkit.lessons.idempotency import charging
from labkit.lessons.idempotency.predicted import Counts, predict
from labkit.lessons.idempotency.setting import Setting
from labkit.lessons.idempotency.steps import ACK, HANDLE, ONCE, PUBLISH, REMEMBER, STEPS, Strategy

READ = "read"
FIVE = (HANDLE, REMEMBER, ACK, PUBLISH)  # after `read`, which is always the first
ONE_TRANSACTION = (ONCE, ACK, PUBLISH)


@dataclass(frozen=True)
class Verdict:
    """What came of an order of steps, one crash in each gap. It is true when each customer was charged exactly once.

    gaps: the gap ("handle | ack") -> what a crash there did. where: the broker it ran on, or "on paper".
    """

    steps: tuple[str, ...]
    gaps: dict[str, str]
    counts: Counts
    where: str

    @property
    def lost(self) -> int:
        return len(self.counts.lost)

    @property
    def doubled(self) -> int:
        return len(self.counts.doubled)

    def __bool__(self) -> bool:
        return not self.lost and not self.doubled

    @property
    def trade_off(self) -> str:
        """What a right answer costs; of a wrong one, what it does."""
        if not self:
            return "not yet: " + " and ".join(
                [f"{self.lost} never charged"] * bool(self.lost)
                + [f"{self.doubled} charged twice"] * bool(self.doubled)
            )
        if self.steps.index(PUBLISH) < self.steps.index(ONCE):
            return "right, and PaymentTaken is told at least once; it is out before the money is taken"
        if self.counts.announced_twice:
            return "right, and PaymentTaken is told at least once: whoever reads it needs an inbox too"
        return "right, and PaymentTaken is told at most once: somebody may never hear of a payment"

    def __repr__(self) -> str:
        width = max(len(gap) for gap in self.gaps)
        lines = [f"  {gap.ljust(width)}  {did}" for gap, did in self.gaps.items()]
        return "\n".join([f"read → {' → '.join(self.steps)} ({self.where}), a crash in each gap:", *lines,
                          f"{self.trade_off[0].upper()}{self.trade_off[1:]}."])  # fmt: skip


def run(steps: Sequence[str], broker: str = "kafka") -> Verdict:
    """Take a payment for every gap between two steps, crash in the gap, and see what the customer paid.

    steps: "read" first, then "handle", "remember", "ack" and "publish" in your order; "handle+remember" is both in
    one transaction. broker: "kafka" or "rabbitmq". Raises SettingError for steps that are none, BrokerError.
    """
    way = _way(steps)
    setting = Setting(broker=broker, payments=len(way.steps) + 1, crash_rate=0.0, prefetch=1)
    found, _ = charging.charge(way, setting, _plan(way), Trace())
    return _verdict(way, found, lab.brokers(broker).stamp)


def predicted(steps: Sequence[str]) -> Verdict:
    """The same without a broker. Raises SettingError."""
    way = _way(steps)
    return _verdict(way, predict(way, charging.orders(len(way.steps) + 1), _plan(way)), "on paper")


def every_order(words: Sequence[str] = FIVE) -> list[Verdict]:
    """What each order of these steps does, on paper."""
    return [predicted([READ, *order]) for order in permutations(words)]


def _way(steps: Sequence[str]) -> Strategy:
    words = [str(step) for step in steps]
    if words[:1] != [READ]:
        raise SettingError(f"The steps begin with {words[:1]}.", 'nothing can be done with an event before "read"')
    rest = tuple(words[1:])
    unknown = [word for word in rest if word not in STEPS]
    if unknown or len(set(rest)) != len(rest):
        raise SettingError(f"These steps cannot be: {unknown or 'one comes twice'}.", f"take from: {', '.join(STEPS)}")
    if set(rest) not in (set(FIVE), set(ONE_TRANSACTION)):
        raise SettingError(
            "A step is missing, or one is there in two forms.",
            f"use each of {', '.join(FIVE)}; or {', '.join(ONE_TRANSACTION)}",
        )
    return Strategy("puzzle", rest)


def _plan(way: Strategy) -> dict[str, str]:
    """Payment 1 crashes right after read, 2 after the first step, and so on; the last one meets no crash."""
    return {str(at): f"after {step}" for at, step in enumerate([READ, *way.steps[:-1]], 1)}


def _verdict(way: Strategy, counts: Counts, where: str) -> Verdict:
    before = [READ, *way.steps[:-1]]
    gaps = {f"{a} | {b}": _did(counts, str(at)) for at, (a, b) in enumerate(zip(before, way.steps, strict=True), 1)}
    return Verdict(way.steps, gaps, counts, where)


def _did(counts: Counts, key: str) -> str:
    charged, announced = counts.charged.get(key, 0), counts.announced.get(key, 0)
    times = {0: "never", 1: "once", 2: "TWICE"}
    sign = "✓" if charged == 1 else "×"
    return f"{sign} charged {times[charged].replace('never', 'NEVER')}, told {times[announced].lower()}"
