"""The words that were taken out of the public names of labkit do not come back."""

import json
from pathlib import Path

import pytest
import words
from graph import Graph

LISTED = json.loads(words.KEPT.read_text("utf-8"))

SOURCE = """
PATIENCE_S = 20
BROKEN = "#c00"
class RealHands:
    sharing: str = "all"
    def __init__(self, strike): self.struck = {"broken": 3}
    def nack(self, requeue: bool = True, *, told=None): ...
    def handle(self, second_hand): ...
class _Private:
    def bury(self): ...
def _private(victim): ...
def hand_over(course_root, requeue: float = 0.3):
    victim = told = course_root
    def play(): ...
def on_kafka(): ...
if True:
    def tell(): ...
"""


@pytest.fixture(scope="module")
def found() -> dict[str, dict[str, list[str]]]:
    """Not at import: every worker collects, and this takes seconds."""
    return words.to_go(words.public_names(Graph()))


def names(root: Path, source: str, module: str = "orders") -> dict[str, set[str]]:
    (root / "labkit").mkdir(exist_ok=True)
    (root / "labkit" / f"{module}.py").write_text(source)
    found = words.to_go(words.public_names(Graph(root)))
    return {word: set(labels) for word, labels in found.items()}


def test_no_name_has_a_word_that_was_taken_out(found: dict[str, dict[str, list[str]]]) -> None:
    assert sum(1 for _ in words.public_names(Graph())) > 2000
    assert words.compare(found, LISTED)[0] == []


def test_the_list_of_names_that_are_still_to_go_has_none_that_is_gone(found: dict[str, dict[str, list[str]]]) -> None:
    assert words.compare(found, LISTED)[1] == [], f"well done: run {words.COMMAND}"


def test_every_listed_word_is_one_of_the_words() -> None:
    assert LISTED.keys() <= {word.old for word in words.WORDS}


def test_a_word_is_found_in_every_kind_of_public_name(tmp_path: Path) -> None:
    assert names(tmp_path, SOURCE) == {
        "patience_s": {"PATIENCE_S"},
        "hands": {"RealHands"},
        "sharing": {"RealHands.sharing"},
        "strike": {"RealHands.__init__(strike)"},
        "struck": {"RealHands.struck"},
        "broken": {"[broken]"},
        "told": {"RealHands.nack(told)"},
        "hand": {"RealHands.handle(second_hand)"},
        "requeue": {"hand_over(requeue)"},
        "tell": {"tell"},
    }


@pytest.mark.parametrize("module", ["on_kafka", "victim", "kafka_face", "across_sides"])
def test_a_module_can_have_such_a_word_too(tmp_path: Path, module: str) -> None:
    assert {f"module {module}"} in names(tmp_path, "", module).values()


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("handle", ["handle"]),
        ("OnRabbitMQ", ["on", "rabbitmq"]),
        ("HTTPFace", ["http", "face"]),
        ("PATIENCE_S", ["patience", "s"]),
        ("two_hands2", ["two", "hands", "2"]),
    ],
)
def test_a_name_is_read_word_by_word(name: str, split: list[str]) -> None:
    assert words.parts(name) == split


def test_a_listed_name_may_go_and_no_other_may_come() -> None:
    listed = {"told": {"Way.told": 1, "told": 2}, "play": {"play": 1}}
    found = {"told": {"Way.told": ["labkit.a"], "told": ["labkit.b"], "Run.told": ["labkit.c"]}}
    came, gone = words.compare(found, listed)
    assert came == ["Run.told (in labkit.c): say what it is: answer, status, args"]
    assert gone == ["play (play)", "told (told)"]
    assert words.shrunk(found, listed) == {"told": {"Way.told": 1, "told": 1}}
