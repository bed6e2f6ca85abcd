"""How long an event takes: from the moment it *should* have left to the moment a consumer had it.

The intended moment matters. A sender that waits for a slow broker sends later; a clock that starts at the real
send hides exactly those waits. So the clock starts when the event was due (an "open loop").
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from labkit.measure.result import Measure

PERCENTILES = (50, 90, 99)


def milliseconds(deliveries: pd.DataFrame) -> pd.Series:
    """Latency of each delivery in ms: `received_s` minus `due_s`."""
    return (deliveries["received_s"] - deliveries["due_s"]) * 1000


def percentiles(values: Sequence[float] | pd.Series) -> dict[str, Measure]:
    """p50, p90, p99 and max, in ms. p90 is a real event's value: 9 of 10 were at least as fast.

    Raises ValueError when there are no values: there is no percentile of nothing.
    """
    if len(values) == 0:
        raise ValueError("no latencies: nothing was received")
    found = {f"p{p}": float(np.percentile(values, p, method="inverted_cdf")) for p in PERCENTILES}
    found["max"] = float(np.max(values))
    return {name: Measure(value, "ms") for name, value in found.items()}


def due_times(n: int, rate: float) -> list[float]:
    """When event 0 … n-1 should leave, in seconds from the start: `rate` a second, evenly, the first at once."""
    return [i / rate for i in range(n)]
