"""The answers that are kept beside this file, so that a broker which begins to answer otherwise is noticed."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from labkit.base.errors import LabError, StorageError
from labkit.provision.model import Running
from labkit.truth import questions
from labkit.truth.answer import NOT_ASKED, Answer

FILE = Path(__file__).with_name("answers.json")


class GridError(LabError):
    """The kept answers cannot be used, or are not what the brokers answer now."""


def committed() -> list[Answer]:
    """The answers as they were kept, question by question, without evidence. Raises GridError."""
    return [Answer.from_json(one) for one in _load()["answers"]]


def versions() -> dict[str, str]:
    """Of which brokers the kept answers are: `kafka` → `Kafka 4.4.0`. Raises GridError."""
    return {str(name): str(version) for name, version in _load()["versions"].items()}


def stamp() -> str:
    """The same in one line, for the foot of a picture."""
    return " · ".join(versions().values())


def save(answers: Sequence[Answer], brokers: Mapping[str, str]) -> None:
    """Keep these answers. brokers: as `versions` tells them. Raises GridError when one was not asked, StorageError."""
    missing = [one for one in answers if one.word == NOT_ASKED]
    whole = len(questions.QUESTIONS) * len(questions.BACKENDS)
    if missing or len(answers) != whole:
        raise GridError(f"Only {len(answers) - len(missing)} of {whole} answers are there, and only all are kept.",
                        "ask everything, with native brokers: LABKIT_FROM=native")  # fmt: skip
    text = json.dumps({"versions": dict(brokers), "answers": [one.kept() for one in answers]}, indent=1)
    try:
        FILE.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise StorageError(f"{FILE} cannot be written: {error.strerror}.", "allow writing there") from error


def versions_of(running: Sequence[Running]) -> dict[str, str]:
    """What runs, as it is kept with its answers; the stand-in belongs to the client library."""
    from confluent_kafka import libversion

    names = {"kafka": "Kafka", "rabbitmq": "RabbitMQ"}
    found = {one.broker: f"{names[one.broker]} {one.version}" for one in running if one.source != "embedded"}
    return found | {"embedded": f"stand-in librdkafka {libversion()[0]}"}


def differences(now: Sequence[Answer], kept: Sequence[Answer], brokers: Mapping[str, str]) -> list[str]:
    """A sentence for each answer that is not the kept one: question, backend, both answers. Empty is good.

    What was not asked here is no difference. brokers: what answers now, as `versions_of` tells it.
    """
    before = {(one.question, one.backend): one for one in kept}
    found = []
    for one in now:
        old = before.get((one.question, one.backend))
        if one.word == NOT_ASKED or (old and (old.word, old.short) == (one.word, one.short)):
            continue
        family = one.backend.partition("-")[0]
        was = _said(old) if old else "nothing"
        name = questions.backend(one.backend).name
        found.append(f"{name} ({brokers.get(family, 'version not told')}) answers {_said(one)}, and {was} is kept, to: "
                     f"{questions.question(one.question).text} Now: {one.sentence}")  # fmt: skip
    return found


def _said(answer: Answer) -> str:
    return f"{answer.word!r}" + (f" ({answer.short})" if answer.short else "")


def _load() -> dict[str, Any]:
    try:
        data = json.loads(FILE.read_text(encoding="utf-8"))
        return {"versions": dict(data["versions"]), "answers": list(data["answers"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise GridError(f"The kept answers in {FILE.name} cannot be read: {error!r}.",
                        "take the file from the repository again, or renew it: python -m labkit truth --write"
                        ) from error  # fmt: skip
