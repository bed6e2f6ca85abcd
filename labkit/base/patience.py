"""How long labkit waits before it gives up: one factor for every limit, read in one place.

A limit in the code is written for a quiet machine. On a slow or a busy one, `LABKIT_PATIENCE=4` makes all of them four
times as long. `python -m labkit test` measures the machine at its start and sets the factor for everything it runs.
"""

import time
from collections.abc import Mapping

from labkit.base import settings

_ADDITIONS = 1_000_000
_QUIET_S = 0.085  # that many additions, on a quiet machine of two cores in 2026


def factor(env: Mapping[str, str] | None = None) -> float:
    """`LABKIT_PATIENCE` of `env` (default: the process's), or 1. Raises SettingError for what is no such number."""
    return settings.patience(env)


def seconds(limit_s: float) -> float:
    """A limit of `limit_s` seconds on a quiet machine, in the seconds of this one."""
    return limit_s * factor()


def measured_slowness(rounds: int = 5) -> float:
    """How many times as long as on a quiet machine a fixed loop takes here and now: the median of `rounds`.

    Measured by the clock on the wall, so that what else keeps the machine busy counts too.
    """
    return sorted(_loop_s() for _ in range(rounds))[rounds // 2] / _QUIET_S


def _loop_s() -> float:
    start, total = time.perf_counter(), 0
    for number in range(_ADDITIONS):
        total += number
    return time.perf_counter() - start
