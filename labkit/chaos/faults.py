"""Faults from a seed. The same seed makes the same trouble in every run and on every machine, so it can be predicted.

Whether a try fails is not a throw of dice. `chance` hashes the seed, the service, the point, the key and the number of
the try to a number between 0 and 1; the try fails when that number is below the probability. So a higher probability
fails the same tries and some more, and the order in which things happen changes nothing.
"""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from difflib import get_close_matches
from hashlib import blake2b
from typing import Any

import orjson

from labkit.base.errors import LabError

# Where a fault can act in a service. A crash at each of them leaves the work in another state.
BEFORE_PUBLISH = "before_publish"  # nothing has left yet
BEFORE_HANDLE = "before_handle"  # the event is here, no effect yet
AFTER_HANDLE = "after_handle"  # the effect is done, and nobody has been told
BEFORE_ACK = "before_ack"  # told to others, not to the broker
POINTS = (BEFORE_PUBLISH, BEFORE_HANDLE, AFTER_HANDLE, BEFORE_ACK)

_MAX_DELAY_MS = 60_000.0


class FaultError(LabError):
    """A fault plan says something that cannot be. field: which part, `before_handle.refuse` for example."""

    exit_code = 2

    def __init__(self, what: str, cure: str, field: str = "") -> None:
        super().__init__(what, cure)
        self.field = field


class Refused(Exception):  # noqa: N818  it is not an error of the lab: it was asked for
    """The service refuses this try, as the plan says."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What may happen at one point. refuse, crash, slow: probabilities, 0 to 1. delay_ms: waiting of a slow try.

    Every try is slow by default, so `Fault(delay_ms=200)` delays all, and `Fault(delay_ms=200, slow=0.05)` one in 20.
    """

    refuse: float = 0.0
    delay_ms: float = 0.0
    slow: float = 1.0
    crash: float = 0.0


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """What may happen at each point of a service. The empty plan is peace. Raises FaultError for a bad value."""

    seed: int = 0
    before_publish: Fault = field(default_factory=Fault)
    before_handle: Fault = field(default_factory=Fault)
    after_handle: Fault = field(default_factory=Fault)
    before_ack: Fault = field(default_factory=Fault)

    def __post_init__(self) -> None:
        if type(self.seed) is not int:
            raise _bad("seed", self.seed, "it must be a whole number")
        for point in POINTS:
            fault = getattr(self, point)
            if not isinstance(fault, Fault):
                raise _bad(point, fault, "it must be a Fault")
            for part in fields(Fault):
                _check(f"{point}.{part.name}", getattr(fault, part.name))

    def to_json(self) -> bytes:
        return orjson.dumps(asdict(self))

    @classmethod
    def from_json(cls, raw: bytes | str) -> "FaultPlan":
        """The plan in this JSON object. What it does not name has its default. Raises FaultError that names the field.

        {"seed": 7, "before_handle": {"refuse": 0.01, "delay_ms": 200}}
        """
        try:
            told = orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            raise FaultError(f"The fault plan is not JSON: {error}.", 'write {"seed": 7}, for example') from error
        _known(told, ("seed", *POINTS), "")
        for point in POINTS:
            if point in told:
                _known(told[point], [part.name for part in fields(Fault)], f"{point}.")
                told[point] = Fault(**told[point])
        return cls(**told)


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens to one try at one point. The delay comes first, then the crash, then the refusal."""

    delay_s: float = 0.0
    crash: bool = False
    refuse: bool = False


_PEACE = Decision()


def chance(seed: int, service: str, point: str, kind: str, key: str, attempt: int) -> float:
    """A number from 0 up to 1 that looks random and is always the same for the same words."""
    words = ascii((seed, service, point, kind, key, attempt)).encode()
    return int.from_bytes(blake2b(words, digest_size=8).digest()) / 2**64


def decide(plan: FaultPlan, service: str, point: str, key: str, attempt: int = 1) -> Decision:
    """What `plan` has in store for this try. attempt: 1 for the first try of this key at this service."""
    fault: Fault = getattr(plan, point)
    if fault == _NOTHING:
        return _PEACE

    def hit(kind: str, probability: float) -> bool:
        if probability in (0, 1):  # spares the hash
            return probability == 1
        return chance(plan.seed, service, point, kind, key, attempt) < probability

    delay_s = fault.delay_ms / 1000 if fault.delay_ms and hit("slow", fault.slow) else 0.0
    return Decision(delay_s, hit("crash", fault.crash), hit("refuse", fault.refuse))


def _kill_me() -> None:
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))  # Windows knows no SIGKILL


class Faults:
    """The faults of one service. `plan` may be set at any time, from any thread; the next try meets the new one.

    crash: what a crash does (by default this process dies as from `kill -9`). A key that is tried again after a crash
    must come with a higher attempt, or it crashes forever: count the tries where they outlive the process.
    """

    def __init__(self, service: str, plan: FaultPlan | None = None, crash: Callable[[], None] = _kill_me) -> None:
        self.service = service
        self.plan = plan or FaultPlan()
        self._crash = crash

    def decide(self, point: str, key: str, attempt: int = 1) -> Decision:
        return decide(self.plan, self.service, point, key, attempt)

    def act(self, point: str, key: str, attempt: int = 1) -> None:
        """Let the plan act on this try: wait, crash, or raise Refused. For plain threads."""
        decision = self.decide(point, key, attempt)
        if decision.delay_s:
            time.sleep(decision.delay_s)
        self._strike(decision, point, key, attempt)

    async def act_async(self, point: str, key: str, attempt: int = 1) -> None:
        """The same in an event loop: others go on while this try waits."""
        decision = self.decide(point, key, attempt)
        if decision.delay_s:
            await asyncio.sleep(decision.delay_s)
        self._strike(decision, point, key, attempt)

    def _strike(self, decision: Decision, point: str, key: str, attempt: int) -> None:
        if decision.crash:
            self._crash()
        if decision.refuse:
            raise Refused(f"{self.service} refuses {key}, try {attempt}, {point}: so says the seed {self.plan.seed}")


def reseeded(plan: FaultPlan, seed: int) -> FaultPlan:
    """The same plan with another seed."""
    return replace(plan, seed=seed)


_NOTHING = Fault()


def _check(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _bad(name, value, "it must be a number")
    top, unit = (_MAX_DELAY_MS, " ms") if name.endswith("delay_ms") else (1.0, "")
    if not 0 <= value <= top:  # also refuses nan
        raise _bad(name, value, f"it must be from 0 to {top:g}{unit}")


def _known(told: Any, names: Any, where: str) -> None:
    if not isinstance(told, Mapping):
        raise _bad(where.rstrip(".") or "plan", told, "it must be a JSON object")
    for name in told:
        if name not in names:
            near = get_close_matches(str(name), names, n=1)
            hint = f"did you mean {where}{near[0]}?" if near else f"known are: {', '.join(names)}"
            raise FaultError(f"The fault plan has no field {where}{name}.", hint, f"{where}{name}")


def _bad(name: str, value: Any, why: str) -> FaultError:
    return FaultError(f"The fault plan's {name} is {value!r}: {why}.", f"correct {name}", name)
