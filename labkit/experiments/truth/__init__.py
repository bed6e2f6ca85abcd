"""Lesson 03: the broker truth table. The same questions to every broker, each answered by trying it.

Reading order: `questions` (what is asked), `cases` (what one try leaves behind), `judges` (rows in, yes or no out),
`answer`, then the probes (`kafka_*`, `rabbitmq_*`, `outage`), `asking` and `grid`. `standin` refuses the stand-in.

From a lesson: `truth.committed()` are the answers kept in this folder, `truth.run([...])` asks again, and
`plots.truth.grid(truth.committed(), truth.texts(), truth.stamp())` draws them.
"""

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labkit.experiments.truth.answer import Answer
    from labkit.measure.result import Result
    from labkit.provision.model import Running


def run(
    questions: Sequence[str] | None = None,
    backends: Sequence[str] | None = None,
    running: "Sequence[Running] | None" = None,
    progress: Callable[..., None] | None = None,
    cancelled: threading.Event | None = None,
) -> "Result":
    """Ask these questions of these backends now. See `asking.run`."""
    from labkit.experiments.truth.asking import run as ask  # here: a process that dies for us loads this file too

    return ask(questions, backends, running, progress, cancelled)


def committed() -> "list[Answer]":
    """The answers that are kept beside this file, without their evidence. See `grid.committed`."""
    from labkit.experiments.truth.grid import committed as kept

    return kept()


def answers(result: "Result") -> "list[Answer]":
    """The answers of a run, with their evidence."""
    return list(result.deliveries["evidence"])


def texts() -> dict[str, str]:
    """Every question's name → the question in words, in the order of the table."""
    from labkit.experiments.truth.questions import QUESTIONS

    return {one.slug: one.text for one in QUESTIONS}


def stamp() -> str:
    """Of which brokers the kept answers are, for the foot of a picture."""
    from labkit.experiments.truth.grid import stamp as kept

    return kept()


def needs(*questions: str) -> None:
    """Refuse a stand-in for Kafka that answers one of these otherwise than Kafka. See `standin.needs`."""
    from labkit.experiments.truth.standin import needs as refuse

    refuse(*questions)
