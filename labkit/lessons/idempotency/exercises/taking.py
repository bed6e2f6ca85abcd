"""Lesson 09, write: an idempotent handler, which is then crashed at each of its steps."""

from collections.abc import Callable, Sequence
from typing import Any

from labkit.lessons.idempotency.exercises.check_store import Stores, crashed_at_each_step, order_placed
from labkit.teach.checks.answer import EndlessError
from labkit.teach.exercises.exercise import Exercise, Wrong, explanation
from labkit.teach.exercises.verdict import Finding

_MOST_STEPS = 40
_INSERT = "INSERT INTO inbox VALUES (?, ?) ON CONFLICT DO NOTHING"


def _stub(store: Any, event: Any, charge: Any) -> Any:
    """Charge event.subject the event's data["cents"], once, however often the event comes."""
    return ...


def _answer(store: Any, event: Any, charge: Any) -> None:
    with store:
        note = (event.id, event.time.timestamp())
        new = store.execute("INSERT INTO inbox VALUES (?, ?) ON CONFLICT DO NOTHING", note).rowcount
        if new:
            charge(event.subject, event.data["cents"])


def _never_remembers(store: Any, event: Any, charge: Any) -> None:
    with store:
        charge(event.subject, event.data["cents"])


def _remembers_first(store: Any, event: Any, charge: Any) -> None:
    with store:
        new = store.execute(_INSERT, (event.id, event.time.timestamp())).rowcount
    if new:
        with store:
            charge(event.subject, event.data["cents"])


def _charges_first(store: Any, event: Any, charge: Any) -> None:
    if store.execute("SELECT 1 FROM inbox WHERE event_id = ?", (event.id,)).fetchone():
        return
    with store:
        charge(event.subject, event.data["cents"])
    with store:
        store.execute(_INSERT, (event.id, event.time.timestamp()))


def _by_order(store: Any, event: Any, charge: Any) -> None:
    with store:
        if store.execute(_INSERT, (event.subject, event.time.timestamp())).rowcount:
            charge(event.subject, event.data["cents"])


def _no_commit(store: Any, event: Any, charge: Any) -> None:
    if store.execute(_INSERT, (event.id, event.time.timestamp())).rowcount:
        charge(event.subject, event.data["cents"])


def _judge(answer: Callable[..., Any]) -> Sequence[Finding]:
    with Stores() as stores:
        found = [_once(answer, stores), _durable(answer, stores), _two_parts(answer, stores)]
        return [*found, _crashed(answer, stores)] if all(one.right for one in found) else found


def _once(answer: Callable[..., Any], stores: Stores) -> Finding:
    path, event = stores.fresh(), order_placed()
    for _ in range(3):
        with stores.open(path) as store:
            answer(store, event, store.charge)
            store.commit()
    times = stores.charges(path)
    if times == 1:
        return Finding(True, "The same event came three times, and the customer was charged once.")
    if times == 0:
        return Finding(False, "The event came three times, and the customer was never charged.")
    return Finding(False, f"The same event came three times, and the customer was charged {times} times.")


def _durable(answer: Callable[..., Any], stores: Stores) -> Finding:
    path = stores.fresh()
    with stores.open(path) as store:
        answer(store, order_placed(), store.charge)
    if stores.charges(path):
        return Finding(True, "When it returns, the charge is committed.")
    return Finding(False, "It returned, the event was acknowledged, and the charge was gone: who commits?")


def _two_parts(answer: Callable[..., Any], stores: Stores) -> Finding:
    path = stores.fresh()
    with stores.open(path) as store:
        for event in (order_placed(), order_placed()):
            answer(store, event, store.charge)
            store.commit()
    if stores.charges(path) == 2:
        return Finding(True, "Two events of the same order are two payments.")
    return Finding(False, "One order, two events: it is paid in two parts, and the second part was taken for a copy.")


def _crashed(answer: Callable[..., Any], stores: Stores) -> Finding:
    """Once for every step of the answer: crash there, and let the event come again."""
    steps = 0
    try:
        for one in crashed_at_each_step(stores, lambda store, event: answer(store, event, store.charge), _MOST_STEPS):
            if one.charges != 1:
                did = "never charged" if one.charges == 0 else "charged twice"
                return Finding(False, f"It crashed at step {one.step} ({one.crashed_at}), the event came again: {did}.")
            steps = one.step
    except EndlessError:
        return Finding(False, f"After {_MOST_STEPS} steps it was still not done.")
    except Exception as problem:
        return Finding(False, explanation(problem))
    return Finding(True, f"It was crashed at each of its {steps} steps, and the charge was right each time.")


take = Exercise(
    name="take",
    task="Charge the customer once, however often the event comes and wherever the consumer crashes.",
    stub=_stub,
    answer=_answer,
    judge=_judge,
    hints=(
        "Two things have to stay: the charge, and the note that it was made. What if only one of them does?",
        "`with store:` is one transaction. `INSERT INTO inbox VALUES (?, ?) ON CONFLICT DO NOTHING` takes the event's "
        "id and a time; its `rowcount` is 1 when the id is new, and 0 when it is there already.",
        "In one `with store:` insert event.id, and charge if the rowcount was 1.",
    ),
    wrong=(
        Wrong(_never_remembers, "a transaction alone makes it idempotent", "charged 3 times"),
        Wrong(_remembers_first, "first remember, then charge", "the event came again: never charged"),
        Wrong(_charges_first, "first charge, then remember", "the event came again: charged twice"),
        Wrong(_by_order, "an order is paid by one event", "the second part was taken for a copy"),
        Wrong(_no_commit, "what is executed is stored", "who commits?"),
    ),
)
