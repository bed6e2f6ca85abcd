"""What a fault plan will do, told before the run. Only refusals count here: a delay or a crash depends on the clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from labkit.chaos.faults import AFTER_HANDLE, BEFORE_HANDLE, FaultPlan, decide


@dataclass(frozen=True)
class Prediction:
    """What will come of the keys (orders).

    answered, failed: the keys. effects: service -> how often it did its work. calls: service -> how often it was tried.
    half_done: service -> the failed keys whose work it did all the same.
    """

    answered: tuple[str, ...]
    failed: tuple[str, ...]
    effects: Mapping[str, int]
    calls: Mapping[str, int]
    half_done: Mapping[str, tuple[str, ...]]


def chain(plans: Mapping[str, FaultPlan], keys: Sequence[str], attempts: int = 1) -> Prediction:
    """A caller that asks the services one after the other, each up to `attempts` times, and gives up when one fails.

    plans: service -> its plan, in the order of the calls.
    """
    return _predict(plans, keys, attempts, stops=True)


def independent(plans: Mapping[str, FaultPlan], keys: Sequence[str], attempts: int) -> Prediction:
    """Services that each get every event by themselves, and try it up to `attempts` times: none waits for another.

    "Answered" are the keys for which all services were successful.
    """
    return _predict(plans, keys, attempts, stops=False)


def law(p: float, services: int, n: int) -> float:
    """How many of `n` keys a chain of `services` answers on average when each call fails with probability `p`."""
    return float(n * (1 - p) ** services)


def tries(plan: FaultPlan, service: str, key: str, attempts: int) -> tuple[int, int, bool]:
    """(tries, effects, success) of one key at one service that is asked until it succeeds, `attempts` times at most."""
    effects = 0
    for attempt in range(1, attempts + 1):
        if decide(plan, service, BEFORE_HANDLE, key, attempt).refuse:
            continue
        effects += 1
        if not decide(plan, service, AFTER_HANDLE, key, attempt).refuse:
            return attempt, effects, True
    return attempts, effects, False


def _predict(plans: Mapping[str, FaultPlan], keys: Sequence[str], attempts: int, stops: bool) -> Prediction:
    answered: list[str] = []
    failed: list[str] = []
    effects, calls = dict.fromkeys(plans, 0), dict.fromkeys(plans, 0)
    half_done: dict[str, list[str]] = {service: [] for service in plans}
    for key in keys:
        done, success = [], True
        for service, plan in plans.items():
            tried, worked, good = tries(plan, service, key, attempts)
            calls[service] += tried
            effects[service] += worked
            done += [service] if worked else []
            success = success and good
            if stops and not good:
                break
        (answered if success else failed).append(key)
        if not success:
            for service in done:
                half_done[service].append(key)
    frozen = {service: tuple(found) for service, found in half_done.items()}
    return Prediction(tuple(answered), tuple(failed), effects, calls, frozen)
