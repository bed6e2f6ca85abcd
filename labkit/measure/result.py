"""What every experiment returns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import pandas as pd

from labkit.events.trace import Trace


@dataclass(frozen=True)
class Measure:
    """A number with its unit: `Measure(1.53, "ms")` reads "1.5 ms" and counts as 1.53 in `float(...)`."""

    value: float
    unit: str

    def __float__(self) -> float:
        return float(self.value)  # also when it was given a whole number

    def __str__(self) -> str:
        return f"{plain(self.value)} {self.unit}"


@dataclass(frozen=True, eq=False)
class Result:
    """One run of one experiment. It cannot be changed, so that two runs can be compared.

    sentence: what happened; the thing to read first.
    deliveries: one row per event that arrived. The columns are the experiment's own; times end in `_s`.
    measures: name -> number with its unit.
    anomalies: one row per thing that went wrong (kind, key, event ids, sentence). Empty is good.
    provenance: what was run, on what: brokers and versions, n, rate, seed, machine.
    trace: everything that happened, row by row; what the rest was computed from. Not every experiment keeps one.
    """

    sentence: str
    deliveries: pd.DataFrame
    measures: Mapping[str, Measure] = field(default_factory=dict)
    anomalies: pd.DataFrame = field(default_factory=pd.DataFrame)
    provenance: Mapping[str, str] = field(default_factory=dict)
    trace: Trace | None = None

    def __post_init__(self) -> None:
        # A frozen class does not freeze a dict that it holds.
        object.__setattr__(self, "measures", MappingProxyType(dict(self.measures)))
        object.__setattr__(self, "provenance", MappingProxyType(dict(self.provenance)))

    def stamp(self) -> str:
        """The provenance in one line, for the foot of a picture."""
        return " · ".join(self.provenance.values())

    def __repr__(self) -> str:
        return self.sentence


def plain(value: float) -> str:
    """A number as one says it, two digits that count: 1.5, 15, 1,500. Zero is 0."""
    if value == 0:
        return "0"
    if abs(value) >= 9.95:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 0.95 else f"{value:.2g}"
