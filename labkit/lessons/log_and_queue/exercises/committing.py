"""Lesson 03, repair: the same handler on Kafka, where a commit says "I am through with all up to here"."""

from collections.abc import Callable, Sequence
from typing import Any

from labkit.lessons.log_and_queue.exercises.check_commit import BODIES, COMMITTED, READS, LogStory, on_a_list
from labkit.lessons.log_and_queue.exercises.check_settle import LATER, POISON
from labkit.teach.checks.consumer import DeadLetter
from labkit.teach.exercises.exercise import Exercise, Wrong
from labkit.teach.exercises.verdict import Finding

Reserve = Callable[[bytes], None]

_ORDERS = tuple(body.decode() for body in BODIES if body != POISON)


def _stub(consumer: Any, message: Any, reserve: Reserve, dead_letter: DeadLetter) -> Any:
    consumer.commit(message)
    reserve(message.value())


def _answer(consumer: Any, message: Any, reserve: Reserve, dead_letter: DeadLetter) -> None:
    try:
        reserve(message.value())
    except ValueError as error:
        dead_letter(message.value(), str(error))
    consumer.commit(message)


def _commits_first(consumer: Any, message: Any, reserve: Reserve, dead_letter: DeadLetter) -> None:
    consumer.commit(message)
    try:
        reserve(message.value())
    except ValueError as error:
        dead_letter(message.value(), str(error))


def _never_commits(consumer: Any, message: Any, reserve: Reserve, dead_letter: DeadLetter) -> None:
    try:
        reserve(message.value())
    except ValueError as error:
        dead_letter(message.value(), str(error))


def _leaves_it(consumer: Any, message: Any, reserve: Reserve, dead_letter: DeadLetter) -> None:
    try:
        reserve(message.value())
    except ConnectionError:
        return  # not committed, so it comes again
    except ValueError as error:
        dead_letter(message.value(), str(error))
    consumer.commit(message)


def _buries(consumer: Any, message: Any, reserve: Reserve, dead_letter: DeadLetter) -> None:
    try:
        reserve(message.value())
    except Exception as error:
        dead_letter(message.value(), str(error))
    consumer.commit(message)


def _dies_of_poison(consumer: Any, message: Any, reserve: Reserve, dead_letter: DeadLetter) -> None:
    reserve(message.value())
    consumer.commit(message)


def _skips_poison(consumer: Any, message: Any, reserve: Reserve, dead_letter: DeadLetter) -> None:
    try:
        reserve(message.value())
    except ValueError:
        pass
    consumer.commit(message)


def judge(story: LogStory) -> Sequence[Finding]:
    """Whether the group's place is right, and nothing is lost before it, on whatever broker."""
    if story.error(BODIES[0]):
        return [Finding(False, f"It {story.error(BODIES[0])}, and {_ORDERS[0]} is a good order.")]
    findings = [_commit_last(story), _comes_to_the_end(story)]
    if not story.of(BODIES[-1]):  # of what was never read there is nothing to say
        return findings
    return [*findings, _later(story), _poison(story), _place(story)]


def _commit_last(story: LogStory) -> Finding:
    for one in story.deliveries:
        if one.did[:1] == (COMMITTED,) and len(one.did) > 1:
            words = ", then ".join(one.did).splitlines()[0]
            return Finding(False, f"It commits first and works then ({words}): a crash between loses the order.")
    return Finding(True, "It works first and commits last.")


def _comes_to_the_end(story: LogStory) -> Finding:
    last, tries = BODIES[-1], max(len(story.of(body)) for body in BODIES)
    if not story.of(last):
        body = max(BODIES, key=lambda one: len(story.of(one)))
        died = f" It {story.error(body)}." if story.error(body) else ""
        return Finding(
            False,
            f"{body!r} was read {tries} times of {READS}, and {last.decode()} behind it never: the whole partition "
            f"waits.{died}",
        )
    missing = [order for order in _ORDERS if order != LATER and order not in story.reserved]
    twice = [order for order in _ORDERS if story.reserved.count(order) > 1]
    if missing or twice:
        return Finding(False, f"Reserved: {', '.join(story.reserved) or 'nothing'}. Each order is due once.")
    return Finding(True, f"It comes to the end of the partition; {_ORDERS[0]} and {_ORDERS[-1]} are reserved once.")


def _later(story: LogStory) -> Finding:
    if LATER.encode() in story.dead:
        return Finding(False, f"{LATER} found the store away once, and is a dead letter now: a good order.")
    if LATER in story.reserved:
        return Finding(True, f"{LATER} found the store away, was tried again, and is reserved.")
    early = any(COMMITTED in did for did in story.of(LATER.encode()))
    if early:
        return Finding(False, f"{LATER} is lost: the store was away, and it was committed all the same.")
    return Finding(
        False,
        f"{LATER} is lost: it was not committed, and did not come again either. The consumer had read past it, and the "
        "next commit said “through with all up to here”.",
    )


def _poison(story: LogStory) -> Finding:
    if POISON not in story.dead:
        return Finding(
            False, f"{POISON!r} lies nowhere where somebody could look at it: dead_letter(raw, why) keeps it."
        )
    if story.dead.count(POISON) > 1:
        return Finding(False, f"{POISON!r} is in the dead letters {story.dead.count(POISON)} times.")
    return Finding(True, f"{POISON!r} is a dead letter, and the group is past it.")


def _place(story: LogStory) -> Finding:
    end = len(BODIES)
    if story.committed < end:
        again = end - story.committed
        return Finding(
            False,
            f"At the end the group stands at offset {story.committed} of {end}: after a restart {again} messages are "
            "read again, and what was reserved is reserved twice.",
        )
    return Finding(True, f"At the end the group stands at offset {end}: nothing comes twice.")


commit = Exercise(
    name="commit",
    task="Repair the handler: commit when the work is done, let nothing be lost before the group's place, and let "
    "nothing block the partition.",
    stub=_stub,
    answer=_answer,
    judge=lambda answer: judge(on_a_list(answer)),
    hints=(
        "A commit covers everything before it. What becomes of an order that you skip, when you commit the next one?",
        "Do not catch the ConnectionError: the process dies, and the next one begins at the last commit, with the same "
        "order. (Or `consumer.seek` back to it.) Catch the ValueError: nobody will ever get past it otherwise.",
        "try: reserve(message.value()). except ValueError as error: dead_letter(message.value(), str(error)). "
        "Then, as the last line, consumer.commit(message).",
    ),
    wrong=(
        Wrong(_commits_first, "a commit says that the message has come", "It commits first and works then"),
        Wrong(_never_commits, "reading moves the group's place", "are read again"),
        Wrong(_leaves_it, "what is not committed comes again by itself", "through with all up to here"),
        Wrong(_buries, "what fails once is a dead letter", "is a dead letter now: a good order"),
        Wrong(_dies_of_poison, "another start helps against everything", "the whole partition waits"),
        Wrong(_skips_poison, "nobody needs what cannot be read", "where somebody could look at it"),
    ),
)
