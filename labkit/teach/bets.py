"""Bets: commit to a number before the run. Who has guessed looks at the answer with other eyes.

bet = bets.place("how long one event takes", 5, unit="ms")
bet.score(1.5)

bet = bets.curve("the slowest checkout", {0: 10, 500: 20}, unit="ms")
bet.score({0: 8, 500: 510})
"""

import math
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, SupportsFloat

from labkit.base.errors import LabError
from labkit.measure.result import plain

CLOSE = 1.5  # within this factor a bet counts as right: runs differ by as much


class BetError(LabError):
    """A bet that is no number."""


@dataclass(frozen=True)
class Bet:
    """A number that somebody committed to. `float(bet)` is that number, so that a picture can draw it.

    exact: near is not good enough, for a count in which being off by one is the lesson.
    """

    question: str
    value: float
    unit: str
    exact: bool = False

    def __float__(self) -> float:
        return self.value

    def __repr__(self) -> str:
        return f"Your bet on {self.question}: {self.value:,g} {self.unit}".rstrip()

    def score(self, measured: SupportsFloat) -> str:
        """One sentence: the bet against what was measured (a number or a Measure, in the bet's unit)."""
        truth = float(measured)
        both = f"You bet {_say(self.value, self.unit)}, measured was {_say(truth, self.unit)}"
        if self.exact and self.value != truth:
            side = "high" if self.value > truth else "low"
            return f"{both}: {_number(abs(self.value - truth))} too {side}."
        return f"{both}: {_verdict(self.value, truth)}."


class Measured(Protocol):
    """Points to score a curve with: a dict, or a column of a table with its index."""

    def items(self) -> Any: ...


@dataclass(frozen=True, eq=False)
class Curve(Mapping[float, float]):
    """A curve that somebody committed to, given by points. It reads like a dict of them, so that a picture draws it."""

    question: str
    points: Mapping[float, float]
    unit: str

    def __getitem__(self, x: float) -> float:
        return self.points[x]

    def __iter__(self) -> Iterator[float]:
        return iter(self.points)

    def __len__(self) -> int:
        return len(self.points)

    def __repr__(self) -> str:
        told = ", ".join(f"{_say(y, self.unit)} at {_number(x)}" for x, y in self.points.items())
        return f"Your bet on {self.question}: {told}"

    def at(self, x: float) -> float:
        """The bet at x: on the straight line between two points, level before the first and after the last."""
        xs = list(self.points)
        right = bisect_right(xs, x)
        if right in (0, len(xs)):
            return self.points[xs[0] if right == 0 else xs[-1]]
        x0, x1 = xs[right - 1], xs[right]
        return self.points[x0] + (x - x0) / (x1 - x0) * (self.points[x1] - self.points[x0])

    def score(self, measured: Measured) -> str:
        """One sentence: the curve against measured points (x -> a number or a Measure, in the bet's unit).

        It tells of the point at which the bet is furthest off. Raises BetError when nothing was measured.
        """
        truths = {float(x): float(y) for x, y in measured.items()}
        if not truths:
            raise BetError(f"nothing was measured for {self.question}.", "score the bet after the run")
        worst = max(truths, key=lambda x: _ratio(self.at(x), truths[x]))
        close = sum(_ratio(self.at(x), truth) <= CLOSE for x, truth in truths.items())
        bet, truth = self.at(worst), truths[worst]
        both = f"you bet {_say(bet, self.unit)}, measured was {_say(truth, self.unit)}"
        many = "every point" if close == len(truths) else f"{close or 'none'} of {len(truths)} points"
        return f"Well guessed at {many}. Furthest off at {_number(worst)}: {both}, {_verdict(bet, truth)}."


def place(question: str, value: float, unit: str = "", exact: bool = False) -> Bet:
    """Bet `value` on `question`; exact: nearly right is not right. Raises BetError unless it is finite, 0 or more."""
    return Bet(question, _checked(value, question, unit), unit, exact)


def curve(question: str, points: Mapping[float, float], unit: str = "") -> Curve:
    """Bet a curve on `question`, given by points x -> value. Raises BetError unless all are finite, 0 or more."""
    if not isinstance(points, Mapping) or not points:
        raise BetError(f"{points!r} is no curve to bet on {question}.", "write points, such as {0: 10, 500: 20}")
    checked = {_checked(x, question, "at which you bet"): _checked(y, question, unit) for x, y in points.items()}
    return Curve(question, dict(sorted(checked.items())), unit)


def _checked(value: float, question: str, unit: str) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or value < 0:
        raise BetError(f"{value!r} is no number to bet on {question}.", f"write a number{_of(unit)}, such as 5")
    return float(value)


def _ratio(bet: float, truth: float) -> float:
    """How many times the one is the other: 1 is exactly right."""
    if bet == truth:
        return 1.0
    return math.inf if bet == 0 or truth == 0 else max(bet / truth, truth / bet)


def _verdict(bet: float, truth: float) -> str:
    if bet == truth:
        return "exactly right"
    side = "high" if bet > truth else "low"
    ratio = _ratio(bet, truth)
    if math.isinf(ratio):
        return f"too {side}"
    return "well guessed" if ratio <= CLOSE else f"{plain(ratio)} times too {side}"


def _number(value: float) -> str:
    return f"{value:,g}" if value == round(value) else plain(value)


def _say(value: float, unit: str) -> str:
    return f"{_number(value)} {unit}".rstrip()


def _of(unit: str) -> str:
    return f" of {unit}" if unit else ""
