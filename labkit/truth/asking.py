"""Asks the questions, the backends side by side, and makes one Result of the answers."""

import itertools
import os
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError

import pandas as pd

from labkit import lab
from labkit.base.checkpoint import checkpoint
from labkit.base.tasks import TaskGroup
from labkit.events.trace import Trace
from labkit.measure.result import Measure, Result
from labkit.provision.model import Running
from labkit.truth import questions, tasks
from labkit.truth.answer import WORDS, Answer

SLUGS = tuple(one.slug for one in questions.QUESTIONS)
BACKENDS = tuple(one.slug for one in questions.BACKENDS)
_TIMEOUT_S = 300.0  # for all of them


def run(
    asked: Sequence[str] | None = None,
    backends: Sequence[str] | None = None,
    running: Sequence[Running] | None = None,
) -> Result:
    """Ask these questions (default: all) of these backends (default: all), and say what came out.

    running: the brokers (default: the lab's, which must have been started). The stand-in, and brokers that are frozen
    or killed, are started for it and stopped after it. A run that is cancelled ends between two
    questions, with CancelledError.
    deliveries: one row an answer: question, backend, answer (a word of `answer.WORDS`), short, sentence, and in
    `evidence` the Answer with its cases and their rows. trace: all evidence in order of time. Raises SettingError for
    an unknown name, and NoEvidenceError when a probe could not see what it has to see.
    """
    slugs = [questions.question(slug).slug for slug in (SLUGS if asked is None else asked)]
    names = [questions.backend(slug).slug for slug in (BACKENDS if backends is None else backends)]
    there = {one.broker: one for one in (lab.running() if running is None else running)}
    total, begun, lock = max(1, len(slugs) * len(names)), itertools.count(), threading.Lock()
    found: list[Answer] = []

    with TaskGroup() as group:

        def before(question: str, backend: str) -> None:
            if group.done.is_set():
                raise CancelledError
            with lock:
                share = next(begun) / total
                checkpoint(share, f"{questions.backend(backend).name}: {questions.question(question).text}")

        for task in tasks.plan(slugs, names, there):
            group.start(lambda ask: found.extend(ask(before)), task, name="truth")
        group.join(_TIMEOUT_S, "every question is answered")
    return _result(sorted(found, key=lambda one: (slugs.index(one.question), names.index(one.backend))), there)


def answers(result: Result) -> list[Answer]:
    """The answers of a run, with their evidence."""
    return list(result.deliveries["evidence"])


def _result(answers: Sequence[Answer], there: Mapping[str, Running]) -> Result:
    table = pd.DataFrame([{**one.kept(), "evidence": one} for one in answers])
    rows = [row for one in answers for tried in one.tried for row in tried.case.rows]
    measures = {word: Measure(sum(one.word == word for one in answers), "answers") for word in WORDS}
    provenance = {name: one.label for name, one in there.items()} | {"machine": f"{os.cpu_count()} cores"}
    return Result(summarize(answers), table, measures, provenance=provenance, trace=Trace(rows))


def summarize(answers: Sequence[Answer]) -> str:
    """What the answers say together: where Kafka and a RabbitMQ queue differ, and where the stand-in lies."""
    words = {(one.question, one.backend): one.word for one in answers}
    asked = list(dict.fromkeys(one.question for one in answers))
    parts = [f"{len(answers)} answers to {len(asked)} question{'s' * (len(asked) != 1)}"]
    for other, saying in (("rabbitmq-quorum", "Kafka and the quorum queue differ in"),
                          ("embedded", "Kafka and its stand-in differ in")):  # fmt: skip
        both = [slug for slug in asked if (slug, "kafka") in words and (slug, other) in words]
        if both:
            parts.append(f"{saying} {sum(words[slug, 'kafka'] != words[slug, other] for slug in both)}")
    return "; ".join(parts) + "."
