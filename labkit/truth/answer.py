"""An answer: one word, its condition, and the rows that it was computed from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from labkit.truth.cases import FAILED, Case, of
from labkit.truth.judges import JUDGES

YES, NO, CONDITIONS, NO_MEANING, NOT_ASKED = "yes", "no", "conditions", "does not apply", "not asked here"
WORDS = (YES, NO, CONDITIONS, NO_MEANING, NOT_ASKED)


@dataclass(frozen=True)
class Tried:
    """One case and what its rows say. holds: the answer to the question in this case; None: it has no meaning."""

    case: Case
    holds: bool | None


@dataclass(frozen=True)
class Answer:
    """word: one of WORDS. short: the condition for a narrow cell. sentence: what was tried, and what came out."""

    question: str
    backend: str
    word: str
    short: str
    sentence: str
    tried: tuple[Tried, ...] = ()

    def kept(self) -> dict[str, str]:
        """What is committed: no rows, no times."""
        return {"question": self.question, "backend": self.backend, "answer": self.word, "short": self.short,
                "sentence": self.sentence}  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """With the evidence: every case, what it says, and its rows."""
        evidence = [
            {"case": one.case.words, "holds": one.holds, "rows": [row._asdict() for row in one.case.rows]}
            for one in self.tried
        ]
        return {**self.kept(), "evidence": evidence}

    @staticmethod
    def from_json(data: dict[str, Any]) -> "Answer":
        return Answer(data["question"], data["backend"], data["answer"], data["short"], data["sentence"])


def judged(question: str, backend: str, cases: Sequence[Case]) -> Answer:
    """The answer that the rows of these cases give. Raises NoEvidenceError when they cannot tell."""
    tried = tuple(Tried(case, JUDGES[question](case.rows)) for case in cases)
    outcomes = {one.holds for one in tried if one.holds is not None}
    if not outcomes:
        return Answer(question, backend, NO_MEANING, "", f"Does not apply: {_words(tried, None)}.", tried)
    word = CONDITIONS if len(outcomes) == 2 else YES if True in outcomes else NO
    parts = [f"{name}: {_words(tried, holds)}." for name, holds in (("Yes", True), ("No", False)) if holds in outcomes]
    holding = (one.case.short for one in tried if one.holds)
    return Answer(question, backend, word, next(holding, "") if word == CONDITIONS else "", " ".join(parts), tried)


def not_asked(question: str, backend: str, why: str) -> Answer:
    """A question that cannot be asked here. why: a reason without a full stop."""
    return Answer(question, backend, NOT_ASKED, "", f"Not asked here: {why}.")


def _words(tried: Sequence[Tried], holds: bool | None) -> str:
    return "; ".join(one.case.words + _refusal(one.case) for one in tried if one.holds is holds)


def _refusal(case: Case) -> str:
    """The client's own word for what was refused."""
    reasons = dict.fromkeys(row.note for row in of(case.rows, FAILED) if row.note)
    return f" ({', '.join(reasons)})" if reasons else ""
