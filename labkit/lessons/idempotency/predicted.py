"""What must come of a run, worked out on paper: the seed's crashes, the order of the steps, and one rule.

The rule is the broker's: what was not acknowledged comes again, beginning with the first. No broker is asked here.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from labkit.chaos.faults import AFTER_HANDLE, BEFORE_HANDLE
from labkit.lessons.idempotency.crashes import Crash, CrashPlan, crash
from labkit.lessons.idempotency.steps import ACK, CARD, CARD_KEY, UPSERT, Strategy, perform


@dataclass(frozen=True)
class Counts:
    """charged, announced: payment -> times. lost: never charged. doubled: more than once. extra: charges too many"""

    charged: Mapping[str, int]
    announced: Mapping[str, int]
    keys: Sequence[str]

    @property
    def lost(self) -> list[str]:
        return [key for key in self.keys if not self.charged.get(key)]

    @property
    def doubled(self) -> list[str]:
        return [key for key in self.keys if self.charged.get(key, 0) > 1]

    @property
    def extra(self) -> int:
        return sum(max(self.charged.get(key, 0) - 1, 0) for key in self.keys)

    @property
    def announced_twice(self) -> list[str]:
        return [key for key in self.keys if self.announced.get(key, 0) > 1]


class _Counters:
    """Stores made of counters."""

    def __init__(self, effect: str) -> None:
        self.charged: Counter[str] = Counter()
        self.announced: Counter[str] = Counter()
        self._inbox: set[str] = set()
        self._effect = effect

    def remembered(self, what: str) -> bool:
        return what in self._inbox

    def handle(self, what: str) -> None:
        self.charged[what] = 1 if self._effect in (UPSERT, CARD_KEY) else self.charged[what] + 1

    def remember(self, what: str) -> None:
        self._inbox.add(what)

    def once(self, what: str, failpoint: Callable[[str], None]) -> None:
        if what in self._inbox:
            return
        before = self.charged[what]
        try:
            failpoint(BEFORE_HANDLE)
            self.handle(what)
            failpoint(AFTER_HANDLE)
        except Crash:
            if self._effect not in (CARD, CARD_KEY):  # the transaction takes it back; what is outside stays
                self.charged[what] = before
            raise
        self._inbox.add(what)

    def publish(self, what: str) -> None:
        self.announced[what] += 1


def predict(strategy: Strategy, keys: Sequence[str], plan: Mapping[str, str], batch: int = 1) -> Counts:
    """The counts that these crashes lead to. A strategy that never acknowledges begins again at the first payment."""
    steps, crash_plan = _Counters(strategy.effect), CrashPlan(plan, crash)
    place, furthest = 0, 0  # what the broker gives first; how far it has given
    while place < len(keys):
        start = place
        try:
            for at in range(start, len(keys)):
                again, furthest = at < furthest, max(furthest, at + 1)
                due = at + 1 - place >= batch or at + 1 == len(keys)

                def ack(to: int = at + 1, due: bool = due) -> None:
                    nonlocal place
                    place = to if due else place

                perform(strategy, steps, keys[at], ack, crash_plan.of(keys[at]), again)
            if ACK not in strategy.steps:
                break
        except Crash:
            continue
    return Counts(steps.charged, steps.announced, keys)
