"""What rows cost: one of them, and tables from a thousand to a million. In time of the CPU, which other programs on the
machine hardly disturb."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from labkit.bench.compare import Comparison, in_turn
from labkit.events.trace import ACKED, CONFIRMED, HANDLED, PUBLISHED, RECEIVED, Trace, TraceFile, now_ns
from labkit.measure import anomalies

SIZES = (1_000, 10_000, 100_000, 1_000_000)
_ROW = ("received", "42", 3, "7b0c", "orders/2", 77, "inventory", "kafka", "OrderPlaced")


def one_row(rounds: int, n: int = 100_000) -> list[Comparison]:
    """Nanoseconds of a row: in a Trace against a tuple appended to a list, and in a file against the bare write."""

    def ours() -> tuple[float]:
        add = Trace().add
        begin = time.thread_time_ns()
        for _ in range(n):
            add(*_ROW)
        return ((time.thread_time_ns() - begin) / n,)

    def bare() -> tuple[float]:
        append = list[Any]().append
        begin = time.thread_time_ns()
        for _ in range(n):
            append((now_ns(), "received", "42", 3, "7b0c", "orders/2", 77, "inventory", "kafka", "OrderPlaced"))
        return ((time.thread_time_ns() - begin) / n,)

    (in_memory,) = in_turn([Comparison("a trace row", "ns", n, higher=False)], ours, bare, rounds)
    in_file = Comparison("a trace row in a file", "ns", n // 10, higher=False)
    with tempfile.TemporaryDirectory() as folder:
        for i in range(rounds):
            in_file.labkit.append(_to_file(Path(folder) / f"{i}.jsonl", n // 10))
    return [in_memory, in_file]


def _to_file(path: Path, n: int) -> float:
    file = TraceFile(path)
    begin = time.thread_time_ns()
    for _ in range(n):
        file.add(*_ROW)
    cost = (time.thread_time_ns() - begin) / n
    file.close()
    return cost


def tables(rounds: int, sizes: tuple[int, ...] = SIZES) -> list[Comparison]:
    """Microseconds a row of `to_frame`, `deliveries` and `find`; the same at every size means linear."""
    lines = []
    for size in sizes:
        trace = made(size)
        for name, job in _jobs(trace).items():
            line = Comparison(name, "us a row", size, higher=False)
            for _ in range(rounds if size <= 100_000 else min(rounds, 3)):
                begin = time.thread_time()
                job()
                line.labkit.append((time.thread_time() - begin) / size * 1e6)
            lines.append(line)
    return lines


def _jobs(trace: Trace) -> dict[str, Callable[[], pd.DataFrame]]:
    from labkit.events import frames

    table = trace.to_frame()
    return {
        "to_frame": trace.to_frame,
        "deliveries": lambda: frames.deliveries(table),
        "find": lambda: anomalies.find(table),
    }


def made(rows: int) -> Trace:
    """A trace of about `rows` rows: five an event, five events an order. One event of 100 is lost, one late."""
    trace = Trace()
    for i in range(rows // 5):
        key, seq, name, at = str(i // 5), i % 5 + 1, f"event-{i}", i * 5_000
        channel = f"orders/{i // 5 % 4}"
        late = 12_000 if i % 100 == 50 else 0
        trace.add(PUBLISHED, key, seq, name, "orders", -1, "checkout", "kafka", "OrderPlaced", at)
        trace.add(CONFIRMED, key, seq, name, channel, i, "checkout", "kafka", "", at + 1_000)
        if i % 100 != 99:
            trace.add(RECEIVED, key, seq, name, channel, i, "inventory", "kafka", "OrderPlaced", at + 2_000)
            trace.add(HANDLED, key, seq, name, channel, i, "inventory", "kafka", "OrderPlaced", at + 3_000 + late)
            trace.add(ACKED, key, seq, name, channel, i, "inventory", "kafka", "", at + 4_000 + late)
    return trace
