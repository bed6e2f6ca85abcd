"""The stand-in for Kafka answers some questions otherwise. A lesson that needs the true answer refuses it, in words."""

from collections.abc import Sequence

from labkit import lab
from labkit.base.errors import BrokerError
from labkit.provision.model import Running
from labkit.truth import grid, questions


class StandInError(BrokerError):
    """The Kafka that runs is a stand-in, and what is wanted of it is something that it does otherwise."""


def needs(*slugs: str, running: Sequence[Running] | None = None) -> None:
    """Say nothing when the Kafka that runs answers these questions as Kafka does, else raise StandInError.

    slugs: questions of the truth table: `needs("replay", "crash")`. running: the brokers (default: the lab's).
    Cheap: it reads the kept answers. Raises SettingError for a question that there is not.
    """
    asked = [questions.question(slug) for slug in slugs]
    brokers = lab.running() if running is None else running
    standin = next((one for one in brokers if one.broker == "kafka" and one.source == "embedded"), None)
    if standin is None:
        return
    kept = {(one.question, one.backend): one for one in grid.committed()}
    for one in asked:
        true, false = kept[one.slug, "kafka"], kept[one.slug, "embedded"]
        if true.word != false.word:
            raise StandInError(
                f"{standin.label} runs here, and this lesson needs Kafka itself. {one.text} "
                f"The stand-in's answer: {false.word}. Kafka's answer: {true.word}.",
                "start a real Kafka: `python -m labkit down`, then LABKIT_FROM=native (or docker) and `lab.start()` "
                "without --embedded, or give an address in LABKIT_KAFKA",
            )
