"""Lesson 01, repair: the client whose retries keep a sick service down."""

import inspect
from collections.abc import Sequence

from labkit.lessons.coupling.exercises.check_service import (
    FREEZE_S,
    RATE,
    WORK_S,
    Budget,
    Client,
    Clock,
    Service,
    Story,
    load,
)
from labkit.teach.exercises.exercise import Exercise, Wrong
from labkit.teach.exercises.verdict import Finding


async def _stub(order: str, service: Service, budget: Budget, clock: Clock) -> bool:
    """Reserve stock for one order. True: the customer is told yes."""
    for attempt in range(3):
        try:
            return await service.reserve(order, key=f"{order}/{attempt}", timeout_s=0.25)
        except TimeoutError:
            await clock.sleep(0.02)
    return False


async def _answer(order: str, service: Service, budget: Budget, clock: Clock) -> bool:
    for attempt in range(3):
        if attempt and not budget.allows():
            break
        try:
            return await service.reserve(order, key=order, timeout_s=0.25, deadline_s=clock.now() + 0.25)
        except TimeoutError:
            await clock.sleep(0.02)
    return False


async def _waits_longer(order: str, service: Service, budget: Budget, clock: Clock) -> bool:
    for attempt in range(3):
        try:
            return await service.reserve(order, key=order, timeout_s=0.25)
        except TimeoutError:
            await clock.sleep(0.1 * 2**attempt)
    return False


async def _no_budget(order: str, service: Service, budget: Budget, clock: Clock) -> bool:
    for _ in range(3):
        try:
            return await service.reserve(order, key=order, timeout_s=0.25, deadline_s=clock.now() + 0.25)
        except TimeoutError:
            await clock.sleep(0.02)
    return False


async def _never_retries(order: str, service: Service, budget: Budget, clock: Clock) -> bool:
    try:
        return await service.reserve(order, key=order, timeout_s=0.25, deadline_s=clock.now() + 0.25)
    except TimeoutError:
        return False


async def _new_key(order: str, service: Service, budget: Budget, clock: Clock) -> bool:
    for attempt in range(3):
        if attempt and not budget.allows():
            break
        try:
            return await service.reserve(order, key=f"{order}/{attempt}", timeout_s=0.25, deadline_s=clock.now() + 0.25)
        except TimeoutError:
            await clock.sleep(0.02)
    return False


async def _no_deadline(order: str, service: Service, budget: Budget, clock: Clock) -> bool:
    for attempt in range(3):
        if attempt and not budget.allows():
            break
        try:
            return await service.reserve(order, key=order, timeout_s=0.25)
        except TimeoutError:
            await clock.sleep(0.02)
    return False


_WELL_AGAIN_S = 3.0  # seconds after the thaw in which a service that is left in peace has caught up
_EXTRA = 1.3  # so many calls for one customer are a budget; three are a storm
_LOSES = 20  # in the second load, every 20th call, or the answer to it, never arrives


def _judge(answer: Client) -> Sequence[Finding]:
    if not inspect.iscoroutinefunction(answer):
        return [Finding(False, "Write it as `async def`: thousands of customers wait at the same time.")]
    frozen, hiccup = load(answer), load(answer, freeze_s=(0, 0), loses=_LOSES)
    return [_well_again(frozen), _spared(frozen), _once(frozen, hiccup), _honest(frozen), _retried(hiccup)]


def _well_again(story: Story) -> Finding:
    late = story.failed(since_s=FREEZE_S[1] + _WELL_AGAIN_S)
    if not late:
        return Finding(True, f"The service is well again within {_WELL_AGAIN_S:g} s of the thaw.")
    return Finding(
        False,
        f"{_WELL_AGAIN_S:g} s after the thaw and later, {len(late)} customers were still told no. "
        "Nothing is wrong with the service any more: it is the client who keeps it down.",
    )


def _spared(story: Story) -> Finding:
    begin_s, end_s = FREEZE_S
    calls = sum(begin_s <= at_s < end_s for at_s in story.calls) / (end_s - begin_s)
    if calls <= _EXTRA * RATE:
        return Finding(True, f"While it was sick it got {calls:.0f} calls a second for {RATE} customers.")
    return Finding(
        False,
        f"While it was sick it got {calls:.0f} calls a second for {RATE} customers, and it can do {1 / WORK_S:.0f}: "
        "when every call fails, retries are nothing but more load.",
    )


def _once(*stories: Story) -> Finding:
    reserved = [(order, times) for story in stories for order, times in story.reserved.items()]
    twice = [order for order, times in reserved if times > 1]
    if not twice:
        return Finding(True, "No order is reserved more than once.")
    most = max(times for _, times in reserved)
    return Finding(
        False,
        f"{len(twice)} orders are reserved more than once, up to {most} times: to the service every key is an order of "
        "its own.",
    )


def _honest(story: Story) -> Finding:
    left = [order for order in story.failed() if story.reserved[order]]
    if not left:
        return Finding(True, "Who was told no has nothing reserved.")
    return Finding(
        False,
        f"{len(left)} customers were told no, and their stock is gone: the service worked on for people who had left. "
        "It cannot know until when you wait, unless you say so.",
    )


def _retried(story: Story) -> Finding:
    failed = len(story.failed())
    if not failed:
        return Finding(
            True, f"One call in {_LOSES} gets lost, or its answer does, and every customer is served all the same."
        )
    return Finding(
        False,
        f"One call in {_LOSES} gets lost, or its answer does, and {failed} customers were told no: "
        "a second try would have helped.",
    )


retries = Exercise(
    name="reserve",
    task="Repair the client: it spares a sick service, reserves each order once at most, leaves nothing reserved for "
    "a customer who was told no, and still retries a call that got lost.",
    stub=_stub,
    answer=_answer,
    judge=_judge,
    hints=(
        "The service can do 50 orders a second, and 25 customers a second come. "
        "How many calls a second does it get while every call fails?",
        "Look at the call itself: what tells the service that attempt 2 is the same order, and that nobody waits "
        "any more? Then look at what comes before a second attempt: `budget` is not used yet.",
        "Ask `budget.allows()` before every attempt but the first, and give up when it says no. Use the same key "
        "for all attempts (key=order). Say until when you wait: deadline_s=clock.now() + 0.25.",
    ),
    wrong=(
        Wrong(_waits_longer, "waiting longer between attempts is enough", "who keeps it down"),
        Wrong(_no_budget, "three attempts are harmless once they carry a key and a deadline", "nothing but more load"),
        Wrong(_never_retries, "retries are the mistake, so there must be none", "a second try would have helped"),
        Wrong(_new_key, "the service sees that it is the same order", "reserved more than once"),
        Wrong(
            _no_deadline, "the service stops working when the client stops waiting", "told no, and their stock is gone"
        ),
    ),
)
