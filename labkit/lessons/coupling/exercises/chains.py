"""Lesson 01, predict: what a chain of services is worth when each of them fails now and then."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from labkit.teach.exercises.exercise import Exercise, Wrong
from labkit.teach.exercises.verdict import Finding

_CASES = ((0.01, 3, 400), (0.05, 3, 400), (0.5, 2, 100), (0.0, 5, 1000), (0.01, 30, 1000))


def _stub(p: float, services: int, n: int) -> Any:
    """Each of `services` refuses with probability p. Return (share of checkouts that succeed, failures among n)."""
    return ...


def _answer(p: float, services: int, n: int) -> tuple[float, float]:
    success = (1 - p) ** services
    return success, n * (1 - success)


def _adds_up(p: float, services: int, n: int) -> tuple[float, float]:
    success = 1 - services * p
    return success, n * (1 - success)


def _weakest_link(p: float, services: int, n: int) -> tuple[float, float]:
    return 1 - p, n * p


def _spares(p: float, services: int, n: int) -> tuple[float, float]:
    success = 1 - p**services
    return success, n * (1 - success)


def _counts_successes(p: float, services: int, n: int) -> tuple[float, float]:
    success = (1 - p) ** services
    return success, n * success


_WRONG = (
    Wrong(_adds_up, "the risks add up", "Adding up counts a checkout twice when two services refuse it"),
    Wrong(_weakest_link, "a chain is as good as its weakest link", "One refusal is enough, and each service can"),
    Wrong(_spares, "the services are spares of each other", "All of them have to say yes"),
    Wrong(
        _counts_successes,
        "the second number counts successes",
        "The second number must count the checkouts that fail",
    ),
)


def _judge(answer: Callable[..., Any]) -> Sequence[Finding]:
    got = [answer(*case) for case in _CASES]
    for wrong in _WRONG:
        if all(_same(mine, wrong.answer(*case)) for mine, case in zip(got, _CASES, strict=True)):
            return [Finding(False, f"{wrong.shows}. You took it that {wrong.misconception}.")]
    return [_case(case, mine) for case, mine in zip(_CASES, got, strict=True)]


def _case(case: tuple[float, int, int], mine: Any) -> Finding:
    p, services, n = case
    success, failures = _answer(*case)
    asked = f"{services} services that refuse {100 * p:g} % each: "
    if _same(mine, (success, failures)):
        return Finding(True, f"{asked}{100 * success:.1f} % succeed, {failures:.1f} of {n:,} fail")
    return Finding(False, f"{asked}expected about ({success:.4f}, {failures:.1f}), got {mine!r:.60}")


def _same(mine: Any, right: tuple[float, float]) -> bool:
    try:
        return len(mine) == 2 and all(math.isclose(a, b, abs_tol=1e-6) for a, b in zip(mine, right, strict=True))
    except TypeError:
        return False


chain = Exercise(
    name="availability",
    task="Predict a chain of services: the share of checkouts that succeed, and how many of n fail.",
    stub=_stub,
    answer=_answer,
    judge=_judge,
    hints=(
        "A checkout succeeds when the first service says yes, and the second, and the third. "
        "What does “and” do to probabilities?",
        "Begin with one service: it says yes with 1 - p. Then ask what share of those also passes the next one.",
        "success = (1 - p) ** services; of n checkouts, n * (1 - success) fail. Return both.",
    ),
    wrong=_WRONG,
)
