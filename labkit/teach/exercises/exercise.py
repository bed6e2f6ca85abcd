"""One exercise: the same four words in every lesson: `show()`, `check(answer)`, `hint()`, `solution()`."""

import dis
import re
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

from labkit.base.errors import LabError
from labkit.teach.checks.answer import AnswerError
from labkit.teach.exercises.verdict import Finding, Hint, Verdict
from labkit.teach.show import Source, renamed

_THEIRS = re.compile(  # where an error may arise, but not the mistake
    r"site-packages|[/\\]labkit[/\\](teach|lessons[/\\]\w+[/\\]exercises)[/\\]"
)
_FRESH = re.compile(r"exercise-\w+-\w+\.")  # what a check puts before a learner's names on a real broker
HINTS = ("a question", "the place", "the fix")

Answer = Callable[..., Any]


@dataclass(frozen=True)
class Wrong:
    """A wrong answer that people give. misconception: what they believed. shows: words of the verdict it must get."""

    answer: Answer
    misconception: str
    shows: str


@dataclass
class Exercise:
    """One function for the learner to write.

    name: the function's name in the learner's cell. task: what it must do, in a sentence or two.
    stub: what stands in the cell before. answer: the solution. Both are real code, so that tests run them.
    judge: takes the learner's function, returns what was found, the first failure being the most telling.
    hints: a question, then the place, then the fix.
    """

    name: str
    task: str
    stub: Answer
    answer: Answer
    judge: Callable[[Answer], Sequence[Finding]]
    hints: tuple[str, str, str]
    wrong: tuple[Wrong, ...]
    _told: int = field(default=0, repr=False)

    def show(self) -> Source:
        """The stub, to be copied into a cell."""
        return renamed(self.stub, self.name)

    def check(self, answer: Any) -> Verdict:
        """What the answer does, and whether that is right. Never raises: an error of the answer is a finding."""
        if answer is None or answer is ... or untouched(answer, self.stub):
            return Verdict(self.name, None)
        if not callable(answer):
            return Verdict(self.name, (Finding(False, f"This is no function but {answer!r:.60}."),))
        try:
            return Verdict(self.name, tuple(self.judge(answer)))
        except Exception as problem:
            return Verdict(self.name, (Finding(False, explanation(problem)),))

    def hint(self, number: int | None = None) -> Hint:
        """The next hint: a question, then the place, then the fix. number: 1, 2 or 3, to read one again."""
        if number is not None and number not in (1, 2, 3):
            raise LabError(f"There is no hint {number}.", "take 1, 2 or 3")
        self._told = number or min(self._told + 1, len(self.hints))
        return Hint(self._told, len(self.hints), HINTS[self._told - 1], self.hints[self._told - 1])

    def solution(self) -> Source:
        """One good answer. There are others: `check` looks at what a function does, not at how it is written."""
        return renamed(self.answer, self.name)

    def __repr__(self) -> str:
        return f"{self.name}: {self.task}"


def for_real(exercise: Exercise, answer: Any, place: str, run: Callable[[], Sequence[Finding]]) -> Verdict:
    """The check on something real, asked only when there is something to ask it. place: a broker, "a real run".

    run: plays it there and judges it. An error of the answer is a finding; what a broker itself does not do is raised
    as `run` raises it.
    """
    name = f"{exercise.name} on {place}"
    if not callable(answer) or untouched(answer, exercise.stub):
        return Verdict(name, None)
    try:
        return Verdict(name, tuple(run()))
    except AnswerError as problem:
        return Verdict(name, (Finding(False, explanation(problem)),))


def untouched(answer: Any, stub: Answer) -> bool:
    """True when the answer is still the stub, with whatever comments and docstring."""
    mine, theirs = getattr(answer, "__code__", None), getattr(stub, "__code__", None)
    return mine is not None and theirs is not None and _program(mine) == _program(theirs)


def explanation(problem: BaseException) -> str:
    """An error of the learner's code in a line: what, and where in it."""
    if isinstance(problem, AnswerError) and problem.__cause__ is not None:
        problem = problem.__cause__
    frames = [frame for frame in traceback.extract_tb(problem.__traceback__) if frame.line]
    frames = [frame for frame in frames if not _THEIRS.search(frame.filename)]
    line = f", at `{frames[-1].line}`" if frames else ""
    return f"It raised {type(problem).__name__}: {_FRESH.sub('', str(problem))}{line}."


def _program(code: CodeType) -> list[tuple[str, Any]]:
    """What a function does, step by step, without its name, its docstring and its place in a file."""
    return [
        (step.opname, _program(step.argval) if isinstance(step.argval, CodeType) else step.argval)
        for step in dis.get_instructions(code)
    ]
