"""Lesson 02, tell apart: which message is an event, which is a command, and who must get it.

All who listen are services. So a last question: how many queues do two copies of one service need?
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from labkit.teach.exercises.exercise import Exercise, Wrong
from labkit.teach.exercises.verdict import Finding

EVENT, COMMAND, ALL, ONE = "event", "command", "all", "one"


@dataclass(frozen=True)
class _Message:
    """What a message is, and what to say when it is taken for the other thing."""

    kind: str
    why: str
    to: str


_COPIES, _QUEUES = "two copies of notification", 1
_MESSAGES = {
    "ReserveStock": _Message(COMMAND, "it asks inventory to do something, and inventory may say no", ONE),
    "PaymentRefused": _Message(EVENT, "a no is a fact as well, once it has been said", ALL),
    "SendInvoice": _Message(COMMAND, "it says what shall be done; the fact would be InvoiceSent, afterwards", ONE),
    "StockReserved": _Message(EVENT, "inventory has done it, and tells whoever cares", ALL),
    "CancelOrder": _Message(COMMAND, "a wish of the customer; when the parcel has left, the answer is no", ONE),
    "OrderCancelled": _Message(EVENT, "it is done; the wish was CancelOrder", ALL),
    "StockLow": _Message(EVENT, "no verb, and a fact all the same: it is so, whoever listens", ALL),
    "OrderPlaced": _Message(EVENT, "it has happened, and each service that listens has a use of its own for it", ALL),
}


def _stub() -> Any:
    """Each message: ("event" or "command", "all" services that listen get it or "one" of them does)."""
    return {
        "ReserveStock": (..., ...),
        "PaymentRefused": (..., ...),  # the bank said no
        "SendInvoice": (..., ...),
        "StockReserved": (..., ...),  # only checkout listens, today
        "CancelOrder": (..., ...),  # the customer has pressed "cancel"
        "OrderCancelled": (..., ...),
        "StockLow": (..., ...),  # nobody listens, today
        "OrderPlaced": (..., ...),
        "two copies of notification": ...,  # they get OrderPlaced from how many queues: 1 or 2?
    }


def _answer() -> dict[str, Any]:
    return {
        "ReserveStock": ("command", "one"),
        "PaymentRefused": ("event", "all"),
        "SendInvoice": ("command", "one"),
        "StockReserved": ("event", "all"),
        "CancelOrder": ("command", "one"),
        "OrderCancelled": ("event", "all"),
        "StockLow": ("event", "all"),
        "OrderPlaced": ("event", "all"),
        "two copies of notification": 1,
    }


def _all_events() -> dict[str, Any]:
    return _answer() | dict.fromkeys(_MESSAGES, (EVENT, ALL))


def _broadcasts() -> dict[str, Any]:
    return _answer() | {name: (one.kind, ALL) for name, one in _MESSAGES.items()}


def _copy_for_each_process() -> dict[str, Any]:
    return _answer() | {_COPIES: 2}


def _good_news() -> dict[str, Any]:
    return _answer() | {"PaymentRefused": (COMMAND, ONE)}


def _counts_listeners() -> dict[str, Any]:
    return _answer() | {"StockReserved": (EVENT, ONE), "StockLow": (EVENT, ONE)}


def _past_tense_only() -> dict[str, Any]:
    return _answer() | {"StockLow": (COMMAND, ONE)}


_ONE_SERVICE = "Two copies of notification are one service: with a copy for each, the customer gets two mails"
_TWICE = "Two subscribers with a copy each both do it: it is done twice"
_TOMORROW = "Who listens today is none of the publisher's business: the next subscriber must get it too"


def _judge(answer: Callable[..., Any]) -> Sequence[Finding]:
    said = answer()
    if not isinstance(said, dict):
        return [Finding(False, f"Return the dictionary, name by name; this is {said!r:.60}.")]
    strange = [str(name) for name in said if name not in _MESSAGES and name != _COPIES]
    findings = [_message(name, right, said.get(name, ...)) for name, right in _MESSAGES.items()]
    return [*findings, _queues(said.get(_COPIES, ...))] + [
        Finding(False, f"{name}: nobody asked about it.") for name in strange
    ]


def _message(name: str, right: _Message, said: Any) -> Finding:
    kind, to = _pair(said)
    if kind is ... or to is ...:
        return Finding(False, f"{name}: still open.")
    if kind not in (EVENT, COMMAND) or to not in (ALL, ONE):
        return Finding(False, f'{name}: give ("event" or "command", "all" or "one"), not {said!r:.40}.')
    if kind != right.kind:
        return Finding(False, f"{name} is {_a(right.kind)}: {right.why}.")
    if to != right.to:
        return Finding(False, f"{name}, {_a(kind)} to {_whom(to)}? {_why_not(to)}.")
    return Finding(True, f"{name}: {_a(kind)}, to {_whom(to)}: {right.why}.")


def _why_not(to: str) -> str:
    return _TOMORROW if to == ONE else _TWICE


def _queues(said: Any) -> Finding:
    if said is ...:
        return Finding(False, f"{_COPIES}: still open.")
    if said not in (1, 2):
        return Finding(False, f"{_COPIES}: give the number of queues, 1 or 2, not {said!r:.40}.")
    if said != _QUEUES:
        return Finding(False, f"{_COPIES}, {said} queues? {_ONE_SERVICE}.")
    return Finding(True, f"{_COPIES}: one queue, which they share.")


def _pair(said: Any) -> tuple[Any, Any]:
    """The two words, however they were typed; an ellipsis where one is missing."""
    if not isinstance(said, tuple | list) or len(said) != 2:
        return (..., ...) if said is ... else ("", "")
    kind, to = (one.strip().lower() if isinstance(one, str) else one for one in said)
    return kind, to


def _a(kind: str) -> str:
    return "an event" if kind == EVENT else "a command"


def _whom(to: str) -> str:
    return "all" if to == ALL else "one"


fact = Exercise(
    name="event_or_command",
    task="Tell events from commands, and say whether a message goes to all services that listen or to one of them.",
    stub=_stub,
    answer=_answer,
    judge=_judge,
    hints=(
        "Could whoever gets the message still say no?",
        "Who can say no has been given a command, and one of them has to do it, once. Nobody can refuse what has "
        "happened: that is an event, and its publisher does not know who will want it tomorrow.",
        'ReserveStock, SendInvoice and CancelOrder are ("command", "one"). The other five are ("event", "all"), bad '
        "news and facts without a listener too. Two copies of notification are one service, and one mail is enough: "
        "one queue, so 1.",
    ),
    wrong=(
        Wrong(_all_events, "what goes through a broker is an event", "it asks inventory to do something"),
        Wrong(_broadcasts, "a command may be broadcast, the right one will do it", _TWICE),
        Wrong(_copy_for_each_process, "an event goes to every process that listens", _ONE_SERVICE),
        Wrong(_good_news, "an event is something that was done", "a no is a fact as well"),
        Wrong(_counts_listeners, "what only one or nobody listens to needs one queue", _TOMORROW),
        Wrong(_past_tense_only, "a fact always has a verb in the past tense", "no verb, and a fact all the same"),
    ),
)
