"""What a setting of an experiment may be: a word, a whole number, a number, yes or no; and how it is called.

partitions: Annotated[int, Whole(1, 64, control=(1, 8))] = 4
loss: Annotated[float, Number(0, 1, unit="%")] = 0.0
broker: Broker = "kafka"
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Annotated, Any

from labkit.base.errors import SettingError
from labkit.harness.labels import Label, label
from labkit.provision.model import NAMES


@dataclass(frozen=True)
class Kind:
    """What a setting may be. Written as `Annotated[int, Whole(1, 64)]`.

    label: how it is called; by default the words of its name. unit: of its values; by default the end of its name
    (`delay_ms`). "%" is for a part of 1 that is shown as percent. control: of a panel, as `panel` takes it,
    `(low, high, step)` or a list; True makes one for all that it may be, False makes none. stamp: False where the
    provenance tells it in another way.
    """

    _: KW_ONLY
    label: str = ""
    unit: str = ""
    control: Any = True
    stamp: bool = True

    def named(self, name: str) -> Label:
        """How the setting of this name is called."""
        given = label(name)
        return Label(self.label or given.words, "" if self.unit == "%" else self.unit or given.unit, self.unit == "%")

    def said(self, name: str, value: Any) -> str:
        """The setting in words: "delay 200 ms"."""
        return self.named(name).with_value(value)

    def choice(self, default: Any) -> Any:
        """What `panel` makes its control from; None for no control."""
        if self.control is True:
            return self._all(default)
        return None if self.control is False else self.control

    def check(self, name: str, value: Any) -> None:
        """Raises SettingError, which names the setting, unless it may be this."""
        raise NotImplementedError

    def _all(self, default: Any) -> Any:
        return None


@dataclass(frozen=True)
class OneOf(Kind):
    """A word. choices: all that it may be; a dict gives to each the words that a menu shows."""

    choices: Collection[str]

    def check(self, name: str, value: Any) -> None:
        if not isinstance(value, str) or value not in self.choices:
            raise SettingError(f"{name} is {value!r}.", f"take one of: {'; '.join(self.choices)}")

    def said(self, name: str, value: Any) -> str:
        return super().said(name, self.choices[value] if isinstance(self.choices, Mapping) else value)

    def _all(self, default: Any) -> Any:
        if isinstance(self.choices, Mapping):
            return {words: value for value, words in self.choices.items()}
        return list(self.choices)


@dataclass(frozen=True)
class Whole(Kind):
    """A whole number from `low` to `high`, both included. None: no bound."""

    low: int | None = None
    high: int | None = None

    def check(self, name: str, value: Any) -> None:
        if type(value) is not int:  # True would pass as 1
            example = 1 if self.low is None else self.low
            raise SettingError(
                f"{name} is {value!r}: it must be a whole number.", f"give {name}={example}, for example"
            )
        if (self.low is not None and value < self.low) or (self.high is not None and value > self.high):
            raise SettingError(f"{name} is {value}.", f"give a whole number {_range(self.low, self.high)}")

    def _all(self, default: Any) -> Any:
        return default if self.low is None or self.high is None else (self.low, self.high)


@dataclass(frozen=True)
class Number(Kind):
    """A number from `low` to `high`, both included."""

    low: float = 0
    high: float = math.inf

    def check(self, name: str, value: Any) -> None:
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not number or not self.low <= value <= self.high:
            example = "; 0.1 is 10 %" if self.unit == "%" else ""
            raise SettingError(f"{name} is {value!r}.", f"give a number {_range(self.low, self.high)}{example}")

    def _all(self, default: Any) -> Any:
        return float(default) if self.high == math.inf else (float(self.low), float(self.high))


@dataclass(frozen=True)
class Flag(Kind):
    """True or False."""

    def check(self, name: str, value: Any) -> None:
        if not isinstance(value, bool):
            raise SettingError(f"{name} is {value!r}.", f"give {name}=True or {name}=False")

    def _all(self, default: Any) -> Any:
        return default


@dataclass(frozen=True)
class Each(Kind):
    """One or more values, each of which may be `of`. Has no control, unless one is given."""

    of: Kind

    def check(self, name: str, value: Any) -> None:
        if not isinstance(value, Sequence) or isinstance(value, str) or not value:
            raise SettingError(f"{name} is {value!r}: it must be a list with something in it.", f"write {name}=[…]")
        for at, one in enumerate(value):
            self.of.check(f"{name}[{at}]", one)


def _range(low: float | None, high: float | None) -> str:
    if high is None or high == math.inf:
        return f"of at least {low:g}"
    return f"from {low:g} to {high:g}" if low is not None else f"of at most {high:g}"


Broker = Annotated[str, OneOf(NAMES, stamp=False)]  # a result names the brokers that it ran on
BrokerOrBoth = Annotated[str, OneOf({"both": "both", **NAMES}, stamp=False)]  # as `lab.brokers` takes it
Seed = Annotated[int, Whole()]
