"""The judges of the truth table: hand-made rows come out yes, and no, and as "cannot tell"."""

import pytest

from labkit.events.trace import Row
from labkit.truth import judges, questions
from labkit.truth.answer import CONDITIONS, NO, NO_MEANING, YES, judged
from labkit.truth.cases import Case, NoEvidenceError

Rows = tuple[Row, ...]


def rows(*told: str) -> Rows:
    """`rows("published a1", "handled a1 by slow")`: what, key and number, and after "by", "note" or "size" the rest.

    A row happens at the nanosecond that is its number, or at the one after "at"."""
    return tuple(row(line, t_ns) for t_ns, line in enumerate(told))


def row(line: str, t_ns: int) -> Row:
    words = line.replace("late reader", "late_reader").split()
    what, event, rest = words[0].replace("-", " "), words[1], words[2:]
    more = dict(zip(rest[::2], rest[1::2], strict=True))
    key, seq = (event[:-1], int(event[-1])) if event != "-" else ("", 0)
    name = event if event != "-" else ""
    who, note = more.get("by", "").replace("_", " "), more.get("note", "")
    return Row(int(more.get("at", t_ns)), what, key, seq, name, "", int(more.get("size", -1)), who, "kafka", note)


SENT = ("published a1", "published b1", "published a2")
KILL = ("published a1", "confirmed a1", "published a2", "confirmed a2", "killed - by broker")
CRASH = ("received a1 by consumer#1", "acked a1 by consumer#1", "received a2 by consumer#1", "killed - by consumer#1")
BACK = ("published a1", "published a2", "published a3", "handled a1", "given-back a2")
DOUBLE = ("published a1", "failed a1", "published a1 note again", "received a1 by late reader")
SHORT = ("published a1 note short-lived", "confirmed a1", "published mark1", "confirmed mark1",
         "received mark1 by late reader")  # fmt: skip
URGENT = ("published a1", "published a2 note urgent")

# question → rows that say yes, rows that say no
CASES: dict[str, tuple[Rows, Rows]] = {
    "key_order": (
        rows(*SENT, "handled b1", "handled a1", "handled a2"),
        rows(*SENT, "handled b1", "handled a2", "handled a1"),
    ),
    "total_order": (
        rows(*SENT, "handled a1", "handled b1", "handled a2"),
        rows(*SENT, "handled b1", "handled a1", "handled a2"),
    ),
    "two_consumers": (
        rows(*SENT, "handled a1 by consumer#1", "handled b1 by consumer#2", "handled a2 by consumer#1"),
        rows(*SENT, "handled b1 by consumer#1", "handled a2 by consumer#2", "handled a1 by consumer#1"),
    ),
    "put_back": (rows(*BACK, "handled a2", "handled a3"), rows(*BACK, "handled a3", "handled a2")),
    "crash": (rows(*CRASH, "received a2 by consumer#2"), rows(*CRASH, "received a1 by consumer#2")),
    "replay": (
        rows("acked a1 by consumer#1", "received a1 by late reader"),
        rows("acked a1 by consumer#1", "received a2 by late reader"),
    ),
    "slow_reader": (
        rows("published a1", "published a2", "handled a1 by fast", "handled a1 by slow", "handled a2 by fast"),
        rows("published a1", "published a2", "handled a1 by fast", "handled a2 by fast", "handled a1 by slow"),
    ),
    "nobody": (
        rows("published a1", "confirmed a1", "received a1 by late reader"),
        rows("published a1", "confirmed a1", "received mark1 by late reader"),
    ),
    "unroutable": (rows("published a1", "failed a1 note NO_ROUTE"), rows("published a1", "confirmed a1")),
    "retry_twice": (rows(*DOUBLE, "received a1 by late reader"), rows(*DOUBLE)),
    "large": (
        rows("published a1 size 1000001", "received a1 size 1000001"),
        rows("published a1 size 1000001", "failed a1"),
    ),
    "delay": (rows("due a1 at 50", "received a1 at 50"), rows("due a1 at 50", "received a1 at 49")),
    "priority": (rows(*URGENT, "received a2", "received a1"), rows(*URGENT, "received a1", "received a2")),
    "expiry": (rows(*SHORT), rows(*SHORT, "received a1 by late reader")),
    "kill": (
        rows(*KILL, "received a1 by late reader", "received a2 by late reader"),
        rows(*KILL, "received a1 by late reader"),
    ),
}

# rows in which the thing that is asked about did not happen
BLIND: dict[str, Rows] = {
    "key_order": rows("handled a1"),
    "total_order": rows("handled a1"),
    "two_consumers": rows(*SENT, "handled a1 by consumer#1"),
    "put_back": rows("published a1", "handled a1"),
    "crash": rows("received a1 by consumer#1", "received a1 by consumer#2"),
    "replay": rows("received a1 by late reader"),
    "slow_reader": rows("published a1", "handled a1 by fast"),
    "nobody": rows("published a1", "received a1 by late reader"),
    "unroutable": rows("confirmed a1"),
    "retry_twice": rows("published a1", "confirmed a1", "received a1 by late reader"),
    "large": rows("published a1 size 999999", "received a1 size 999999"),
    "delay": rows("published a1", "received a1"),
    "priority": rows("published a1", "received a1"),
    "expiry": rows("published a1 note short-lived", "confirmed a1"),
    "kill": rows("confirmed a1", "received a1 by late reader"),
}


def test_every_question_has_a_judge_and_rows_for_it_here() -> None:
    names = [one.slug for one in questions.QUESTIONS]
    assert len(names) == 15
    assert list(judges.JUDGES) and set(judges.JUDGES) == set(names) == set(CASES) == set(BLIND)


@pytest.mark.parametrize("question", CASES)
def test_a_judge_says_yes_to_the_one_and_no_to_the_other(question: str) -> None:
    yes, no = CASES[question]
    assert judges.JUDGES[question](yes) is True
    assert judges.JUDGES[question](no) is False


@pytest.mark.parametrize("question", BLIND)
def test_a_judge_gives_no_answer_when_the_thing_did_not_happen(question: str) -> None:
    with pytest.raises(NoEvidenceError):
        judges.JUDGES[question](BLIND[question])


def test_two_readers_who_both_get_everything_share_no_work() -> None:
    both = rows(*SENT, *(f"handled {event} by consumer#{n}" for n in (1, 2) for event in ("a1", "b1", "a2")))
    answer = judged("two_consumers", "rabbitmq-stream", [Case("both get all", "", both)])
    assert (answer.word, answer.sentence) == (NO_MEANING, "Does not apply: both get all.")


def test_an_event_that_was_handled_but_lost_another_is_not_in_order() -> None:
    assert judges.key_order(rows(*SENT, "handled a1", "handled b1")) is False


@pytest.mark.parametrize(
    ("outcomes", "word", "short"), [("yy", YES, ""), ("nn", NO, ""), ("yn", CONDITIONS, "A"), ("ny", CONDITIONS, "B")]
)
def test_an_answer_is_what_its_cases_have_in_common_and_else_the_condition(
    outcomes: str, word: str, short: str
) -> None:
    yes, no = CASES["unroutable"]
    cases = [Case(f"case {name}", name, yes if one == "y" else no) for name, one in zip("AB", outcomes, strict=True)]
    answer = judged("unroutable", "kafka", cases)
    assert (answer.word, answer.short) == (word, short)
    assert ("Yes: case" in answer.sentence, "No: case" in answer.sentence) == ("y" in outcomes, "n" in outcomes)
    assert ("(NO_ROUTE)" in answer.sentence) == ("y" in outcomes), "the refusal is told in the client's own word"
    assert [len(one["rows"]) for one in answer.to_json()["evidence"]] == [2, 2]
