"""Bets: commit to a number before the run. Who has guessed looks at the answer with other eyes.

bet = bets.place("how long one event takes", 5, unit="ms")
bet.score(1.5)
"""

import math
from dataclasses import dataclass

from labkit.base.errors import LabError
from labkit.measure.result import plain

CLOSE = 1.5  # within this factor a bet counts as right: runs differ by as much


class BetError(LabError):
    """A bet that is no number."""


@dataclass(frozen=True)
class Bet:
    """A number that somebody committed to. `float(bet)` is that number, so that a picture can draw it."""

    question: str
    value: float
    unit: str

    def __float__(self) -> float:
        return self.value

    def __repr__(self) -> str:
        return f"Your bet on {self.question}: {self.value:,g} {self.unit}".rstrip()

    def score(self, measured: float) -> str:
        """One sentence: the bet against what was measured (a number or a Measure, in the bet's unit)."""
        truth = float(measured)
        both = f"You bet {self._say(self.value)}, measured was {self._say(truth)}"
        if self.value == truth:
            return f"{both}: exactly right."
        if self.value == 0 or truth == 0:
            return f"{both}: {'too high' if self.value > truth else 'too low'}."
        ratio = max(self.value / truth, truth / self.value)
        if ratio <= CLOSE:
            return f"{both}: well guessed."
        return f"{both}: {plain(ratio)} times too {'high' if self.value > truth else 'low'}."

    def _say(self, value: float) -> str:
        number = f"{value:,g}" if value == round(value) else plain(value)
        return f"{number} {self.unit}".rstrip()


def place(question: str, value: float, unit: str = "") -> Bet:
    """Bet `value` on `question`. Raises BetError unless it is a finite number, 0 or more."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or value < 0:
        raise BetError(f"{value!r} is no number to bet on {question}.", f"write a number{_of(unit)}, such as 5")
    return Bet(question, float(value), unit)


def _of(unit: str) -> str:
    return f" of {unit}" if unit else ""
