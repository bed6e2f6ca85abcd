"""Lesson 03, repair: a handler on RabbitMQ that says of each message what becomes of it."""

from collections.abc import Callable, Sequence
from typing import Any

from labkit.lessons.log_and_queue.exercises.check_settle import AWAY, GOOD, LATER, NEVER, POISON, on_a_stand_in, settled
from labkit.teach.checks.consumer import Story
from labkit.teach.exercises.exercise import Exercise, Wrong
from labkit.teach.exercises.verdict import Finding

Reserve = Callable[[bytes], None]


def _stub(channel: Any, method: Any, body: bytes, reserve: Reserve) -> Any:
    channel.basic_ack(method.delivery_tag)
    reserve(body)


def _answer(channel: Any, method: Any, body: bytes, reserve: Reserve) -> None:
    try:
        reserve(body)
    except ConnectionError:
        channel.basic_nack(method.delivery_tag, requeue=True)
    except ValueError:
        channel.basic_reject(method.delivery_tag, requeue=False)
    else:
        channel.basic_ack(method.delivery_tag)


def _acks_first(channel: Any, method: Any, body: bytes, reserve: Reserve) -> None:
    channel.basic_ack(method.delivery_tag)
    try:
        reserve(body)
    except ConnectionError:
        reserve(body)
    except ValueError:
        pass


def _requeues_all(channel: Any, method: Any, body: bytes, reserve: Reserve) -> None:
    try:
        reserve(body)
    except Exception:
        channel.basic_nack(method.delivery_tag, requeue=True)
    else:
        channel.basic_ack(method.delivery_tag)


def _rejects_all(channel: Any, method: Any, body: bytes, reserve: Reserve) -> None:
    try:
        reserve(body)
    except Exception:
        channel.basic_reject(method.delivery_tag, requeue=False)
    else:
        channel.basic_ack(method.delivery_tag)


def _acks_in_any_case(channel: Any, method: Any, body: bytes, reserve: Reserve) -> None:
    try:
        reserve(body)
    except (ConnectionError, ValueError):
        pass
    finally:
        channel.basic_ack(method.delivery_tag)


def _says_nothing(channel: Any, method: Any, body: bytes, reserve: Reserve) -> None:
    try:
        reserve(body)
    except ConnectionError:
        return  # it will come back by itself
    except ValueError:
        channel.basic_reject(method.delivery_tag, requeue=False)
        return
    channel.basic_ack(method.delivery_tag)


def _lets_out(channel: Any, method: Any, body: bytes, reserve: Reserve) -> None:
    reserve(body)
    channel.basic_ack(method.delivery_tag)


def judge(story: Story) -> Sequence[Finding]:
    """Whether each message came to its right end, on whatever broker."""
    first = GOOD[0]
    if story.error(first.encode()):
        return [Finding(False, f"It {story.error(first.encode())}, and {first} is a good order.")]
    return [_ack_last(story), _reserved(story), _later(story), _poison(story), _never(story), _no_error(story)]


def _ack_last(story: Story) -> Finding:
    for one in story.deliveries:
        if settled(one.did[:1]) and len(one.did) > 1:
            words = ", then ".join(one.did).splitlines()[0]
            return Finding(False, f"It settles first and works then ({words}): a crash between loses the order.")
    return Finding(True, "It works first and settles last.")


def _reserved(story: Story) -> Finding:
    for order in GOOD:
        if story.reserved.count(order) != 1 or order.encode() in story.left:
            return Finding(
                False,
                f"{order} is a good order: reserved {story.reserved.count(order)} times, "
                f"{_end(story, order.encode())}.",
            )
    return Finding(True, "A good order is reserved once, and acknowledged.")


def _later(story: Story) -> Finding:
    raw = LATER.encode()
    if raw in story.left:
        return Finding(False, f"{LATER} found the store away, and {_HELD}")
    if raw in story.dead:
        return Finding(False, f"{LATER} found the store away once, and is a dead letter now: a good order.")
    if LATER not in story.reserved:
        return Finding(False, f"{LATER} is lost: the store was away, and the message was acknowledged all the same.")
    return Finding(True, f"{LATER} found the store away, was tried again, and is reserved.")


def _poison(story: Story) -> Finding:
    tries = len(story.of(POISON))
    if POISON in story.left:
        return Finding(False, f"{POISON!r} is no order, and {_HELD}")
    if POISON not in story.dead:
        return Finding(False, f"{POISON!r} is gone: nobody can look at it any more. It belongs to the dead letters.")
    if tries > 1:
        return Finding(
            False,
            f"{POISON!r} was tried {tries} times, until the queue's limit put it with the dead letters. Without a "
            "limit it would come back forever, and no try will ever make an order of it.",
        )
    return Finding(True, f"{POISON!r} is a dead letter, after one attempt.")


def _never(story: Story) -> Finding:
    raw = NEVER.encode()
    if raw in story.left:
        return Finding(False, f"{NEVER}, whose store stays away: {_HELD}")
    if raw not in story.dead:
        return Finding(False, f"{NEVER} is lost: its store stays away, and the message was acknowledged all the same.")
    tries = [word for did in story.of(raw) for word in did if word == AWAY]
    if len(tries) == 1:
        return Finding(False, f"{NEVER} got one try only. What may pass deserves another.")
    return Finding(True, f"{NEVER}, whose store stays away, was tried {len(tries)} times, and is a dead letter now.")


_HELD = "nobody said what becomes of it: RabbitMQ holds it, unacknowledged, until the channel is closed."


def _end(story: Story, raw: bytes) -> str:
    if raw in story.left:
        return "and never settled"
    return "and rejected" if raw in story.dead else "and acknowledged"


def _no_error(story: Story) -> Finding:
    for one in story.deliveries:
        if error := story.error(one.raw):
            return Finding(False, f"It {error}: a consumer dies of that, and the next one too.")
    return Finding(True, "No error gets out of it.")


settle = Exercise(
    name="settle",
    task="Repair the handler: acknowledge after the work, give back what may pass later, and reject what never will.",
    stub=_stub,
    answer=_answer,
    judge=lambda answer: judge(on_a_stand_in(answer)),
    hints=(
        "Three things can come of `reserve(body)`. After which of them would another try help?",
        "Put `reserve` into a try. A ConnectionError passes, a ValueError does not: `basic_nack(tag, requeue=True)` "
        "gives a message back, `basic_reject(tag, requeue=False)` sends it to the dead letters.",
        "try: reserve(body). except ConnectionError: basic_nack with requeue=True. except ValueError: basic_reject "
        "with requeue=False. else: basic_ack. Each with method.delivery_tag. The queue itself counts the returns.",
    ),
    wrong=(
        Wrong(_acks_first, "an ack says that the message has come", "It settles first and works then"),
        Wrong(_requeues_all, "another try helps against everything", "no try will ever make an order of it"),
        Wrong(_rejects_all, "what fails once is a dead letter", "is a dead letter now: a good order"),
        Wrong(_acks_in_any_case, "an error that is caught is dealt with", "nobody can look at it any more"),
        Wrong(
            _says_nothing, "what is not acknowledged comes back by itself, at once", "found the store away, and nobody"
        ),
        Wrong(_lets_out, "the broker sees that the handler failed", "a consumer dies of that"),
    ),
)
