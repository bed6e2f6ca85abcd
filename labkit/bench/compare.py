"""Two ways of one job, timed in turn, so that both meet the same noise."""

import gc
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import psutil

PACKAGES = ("confluent-kafka", "pika", "orjson", "pandas", "numpy")


@dataclass
class Comparison:
    """One line of the table. labkit, bare: one value per round. higher: a higher value is better."""

    name: str
    unit: str
    n: int
    higher: bool = True
    labkit: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)

    def ratio(self) -> float | None:
        """Median of the rounds' ratios: above 1 labkit is the better one. None where there is nothing to compare."""
        pairs = [(a, b) if self.higher else (b, a) for a, b in zip(self.labkit, self.bare, strict=False) if a and b]
        return statistics.median(a / b for a, b in pairs) if pairs else None

    def added(self) -> float | None:
        """Median of what labkit adds, in the unit."""
        pairs = list(zip(self.labkit, self.bare, strict=False))
        return statistics.median(a - b for a, b in pairs) if pairs else None

    def to_dict(self) -> dict[str, Any]:
        told: dict[str, Any] = {"name": self.name, "unit": self.unit, "n": self.n}
        told |= {side: spread(values) for side, values in (("labkit", self.labkit), ("bare", self.bare)) if values}
        ratio, added = self.ratio(), self.added()
        return told | ({"ratio": round(ratio, 3)} if ratio else {}) | ({"added": added} if added is not None else {})


def spread(values: Sequence[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


Job = Callable[[], Sequence[float]]


def in_turn(lines: Sequence[Comparison], labkit: Job, bare: Job, rounds: int) -> list[Comparison]:
    """Run both `rounds` times; who begins changes from round to round. A job gives one number for each line."""
    for _ in range(rounds):
        labkit_first = len(lines[0].labkit) % 2 == 0
        for ours in (labkit_first, not labkit_first):
            gc.collect()  # nobody pays for the other's garbage
            for line, value in zip(lines, (labkit if ours else bare)(), strict=True):
                (line.labkit if ours else line.bare).append(value)
    return list(lines)


def throughput_lines(name: str, n: int) -> list[Comparison]:
    """The two lines that a `Stopwatch` fills."""
    return [Comparison(name, "events/s", n), Comparison(f"{name}, CPU", "us/event", n, higher=False)]


class Stopwatch:
    """Seconds, and seconds of CPU in all threads of this process, since it was made. CPU is hardly disturbed by what
    else runs on the machine."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def read(self, n: int) -> tuple[float, float]:
        """(events a second, microseconds of CPU an event) for `n` events."""
        cpu, wall = time.process_time() - self._cpu, time.perf_counter() - self._wall
        return n / wall, cpu / n * 1e6


def machine() -> dict[str, str]:
    """On what the numbers were made."""
    memory_gb = psutil.virtual_memory().total / 2**30
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cores": str(psutil.cpu_count()),
        "memory": f"{memory_gb:.0f} GB",
        "load": " ".join(f"{x:.1f}" for x in psutil.getloadavg()),
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }
