"""What a picture reads of a Result, and no more: so that a table drawn by hand can be shown as well."""

from collections.abc import Mapping
from typing import Protocol

import pandas as pd

from labkit.measure.result import Measure


class Drawable(Protocol):
    """The table, and the line for the foot of the picture."""

    @property
    def deliveries(self) -> pd.DataFrame: ...
    def stamp(self) -> str: ...


class Measured(Drawable, Protocol):
    """And the numbers of the run."""

    @property
    def measures(self) -> Mapping[str, Measure]: ...
