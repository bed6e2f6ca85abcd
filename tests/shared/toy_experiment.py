"""A made-up experiment for the tests of the panel: no broker, and the same numbers for the same settings."""

import threading
from collections.abc import Callable
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from labkit.base.errors import LabError
from labkit.measure.result import Measure, Result
from labkit.plots import style


def run(
    delay_ms: int = 100,
    failure_rate: float = 0.05,
    workers: int = 4,
    broker: str = "kafka",
    keyed: bool = True,
    steps: int = 5,
    progress: Callable[..., None] = lambda *_: None,
    cancelled: threading.Event | None = None,
) -> Result:
    """Pretend to send events. `workers=0` is refused; cancelling is noticed between two steps of 20 ms."""
    cancelled = cancelled or threading.Event()
    if workers == 0:
        raise LabError("Nobody works here.", "take at least one worker")
    if broker == "broken":
        raise KeyError("no such broker")
    for step in range(steps):
        progress(step / steps, f"step {step + 1} of {steps}")
        if cancelled.wait(0.02):
            break
    lost = [f"Order {n}: event 3 was handled before event 2 by inventory." for n in range(0 if keyed else 5)]
    return Result(
        sentence=f"Toy: half of the checkouts took {delay_ms / workers:g} ms, and {len(lost)} orders got mixed up.",
        deliveries=pd.DataFrame({"delay_ms": [delay_ms], "failure_rate": [failure_rate]}),
        measures={"p50": Measure(delay_ms / workers, "ms"), f"{broker}_lost": Measure(len(lost), "orders")},
        anomalies=pd.DataFrame({"sentence": lost}),
        provenance={"what": "a toy, no broker"},
    )


def draw(result: Result) -> style.Picture:
    """One bar as long as the median."""
    value = result.measures["p50"].value
    with style.paper():
        sheet: Any = style.figure(3.6, f"Half of the toys take {value:g} ms", "A bar a broker.", result.stamp())
        axes = sheet.add_axes((0.12, 0.2, 0.8, 0.42))
        axes.barh(["toy"], [value], color=style.KAFKA.colour, height=0.4)
        axes.set_xlim(0, 500)
    return style.Picture(sheet, f"A bar of {value:g} ms, drawn by a toy experiment without a broker.")


def draw_figure(result: Result) -> Figure:
    """The same as a bare Figure."""
    return draw(result).figure
