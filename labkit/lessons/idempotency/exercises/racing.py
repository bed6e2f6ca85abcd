"""Lesson 09, repair: two consumers, the same event, and a check that comes too early."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

from labkit.base.tasks import TaskGroup
from labkit.events.event import Event
from labkit.lessons.idempotency.exercises.check_store import Store, Stores, crashed_at_each_step, order_placed
from labkit.teach.checks.answer import EndlessError
from labkit.teach.exercises.exercise import Exercise, Wrong, explanation
from labkit.teach.exercises.verdict import Finding

_MEET_S = 2.0  # a transaction may keep the other out: then they do not meet, and that is well
_RACE_S = 30.0
_MOST_STEPS = 20
_INSERT = "INSERT INTO inbox VALUES (?, ?) ON CONFLICT DO NOTHING"


def _stub(store: Any, event: Any, charge: Any, meet: Any) -> None:
    """Two consumers do this at the same time, with the same event. `meet()` waits for the other one."""
    seen = store.execute("SELECT 1 FROM inbox WHERE event_id = ?", (event.id,)).fetchone()
    meet()
    if not seen:
        with store:
            note = (event.id, event.time.timestamp())
            store.execute("INSERT INTO inbox VALUES (?, ?) ON CONFLICT DO NOTHING", note)
            charge(event.subject, event.data["cents"])


def _answer(store: Any, event: Any, charge: Any, meet: Any) -> None:
    meet()
    with store:
        note = (event.id, event.time.timestamp())
        new = store.execute("INSERT INTO inbox VALUES (?, ?) ON CONFLICT DO NOTHING", note).rowcount
        if new:
            charge(event.subject, event.data["cents"])


def _takes_turns(store: Any, event: Any, charge: Any, meet: Any) -> None:
    seen = store.execute("SELECT 1 FROM inbox WHERE event_id = ?", (event.id,)).fetchone()
    meet()
    with store:
        if not seen and store.execute(_INSERT, (event.id, event.time.timestamp())).rowcount >= 0:
            charge(event.subject, event.data["cents"])


def _insists(store: Any, event: Any, charge: Any, meet: Any) -> None:
    meet()
    with store:
        store.execute("INSERT INTO inbox VALUES (?, ?)", (event.id, event.time.timestamp()))
        charge(event.subject, event.data["cents"])


def _two_steps(store: Any, event: Any, charge: Any, meet: Any) -> None:
    meet()
    with store:
        new = store.execute(_INSERT, (event.id, event.time.timestamp())).rowcount
    if new:
        with store:
            charge(event.subject, event.data["cents"])


def _judge(answer: Callable[..., Any]) -> Sequence[Finding]:
    with Stores() as stores:
        found = _raced(answer, stores)
        return [*found, _crashed(answer, stores)] if all(one.right for one in found) else found


def _raced(answer: Callable[..., Any], stores: Stores) -> list[Finding]:
    path, event, barrier = stores.fresh(), order_placed(), threading.Barrier(2)

    def meet() -> None:
        try:
            barrier.wait(_MEET_S)
        except threading.BrokenBarrierError:
            pass

    def consume() -> None:
        with stores.open(path) as store:
            answer(store, event, store.charge, meet)

    tasks = TaskGroup()
    try:
        with tasks:
            for _ in range(2):
                tasks.start(consume)
            tasks.join(_RACE_S, "both consumers are done")
    except BaseException as error:
        if error is not tasks.error:
            raise
        why = "the other one was first, and that is no error: who raises does not acknowledge, and gets it again"
        return [Finding(False, f"{explanation(error)} If it is the unique key: {why}.")]
    times = stores.charges(path)
    if times == 1:
        return [Finding(True, "Two consumers had the same event at the same time: charged once.")]
    did = "was never charged" if not times else f"was charged {times} times"
    return [Finding(False, f"Two consumers had the same event at the same time: the customer {did}.")]


def _crashed(answer: Callable[..., Any], stores: Stores) -> Finding:
    def alone(store: Store, event: Event) -> None:
        answer(store, event, store.charge, lambda: None)

    try:
        for one in crashed_at_each_step(stores, alone, _MOST_STEPS):
            if one.charges != 1:
                did = "never charged" if one.charges == 0 else "charged twice"
                return Finding(False, f"No race any more; but a crash ({one.crashed_at}), and the customer is {did}.")
    except EndlessError:
        return Finding(False, f"After {_MOST_STEPS} steps it was still not done.")
    return Finding(True, "It was crashed at each of its steps too: the charge was right each time.")


race = Exercise(
    name="pay",
    task="Repair the check-then-act race: two consumers with the same event, one charge.",
    stub=_stub,
    answer=_answer,
    judge=_judge,
    hints=(
        "Both have looked before either has written. Which of the two lines would have to be the only look?",
        "The INSERT itself knows whether the id was new: the inbox has a unique key, and its rowcount is 1 for one "
        "of the two only.",
        "Drop the SELECT. In one `with store:` insert, and charge only if the rowcount is 1.",
    ),
    wrong=(
        Wrong(_takes_turns, "a transaction around the act is enough", "the customer was charged 2 times"),
        Wrong(_insists, "the second one may fail", "who raises does not acknowledge"),
        Wrong(_two_steps, "note and charge may be two transactions, if only one gets the note", "No race any more"),
    ),
)
