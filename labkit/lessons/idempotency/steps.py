"""The ways to take a payment: which steps, in which order. A crash falls between two of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from labkit.chaos.faults import AFTER_HANDLE, BEFORE_ACK, BEFORE_HANDLE

HANDLE = "handle"  # charge the customer
REMEMBER = "remember"  # write the event's id into the inbox
ONCE = "handle+remember"  # both in one transaction
ACK = "ack"  # tell the broker: acknowledge (RabbitMQ), commit (Kafka)
PUBLISH = "publish"  # tell the others: PaymentTaken
STEPS = (HANDLE, REMEMBER, ONCE, ACK, PUBLISH)
POINTS = (BEFORE_HANDLE, AFTER_HANDLE, BEFORE_ACK)

LEDGER, UPSERT, CARD, CARD_KEY = "ledger", "upsert", "card", "card, key"

T = TypeVar("T", contravariant=True)


@dataclass(frozen=True)
class Strategy:
    """One way to take a payment.

    effect: where the charge lands. skips_redelivered: what the broker marks as redelivered is acknowledged unread.
    automatic: the client acknowledges by itself. brokers: that offer it.
    """

    name: str
    steps: tuple[str, ...]
    effect: str = LEDGER
    skips_redelivered: bool = False
    automatic: bool = False
    brokers: tuple[str, ...] = ("kafka", "rabbitmq")

    @property
    def acks_last(self) -> bool:
        return self.steps[-1] == ACK


STRATEGIES = {
    one.name: one
    for one in (
        Strategy("ack first", (ACK, HANDLE)),
        Strategy("work first", (HANDLE, ACK)),
        Strategy("inbox, same transaction", (ONCE, ACK)),
        Strategy("inbox, remembered first", (REMEMBER, HANDLE, ACK)),
        Strategy("inbox, charged first", (HANDLE, REMEMBER, ACK)),
        Strategy("upsert by order", (HANDLE, ACK), effect=UPSERT),
        Strategy("skip redelivered", (HANDLE, ACK), skips_redelivered=True, brokers=("rabbitmq",)),
        Strategy("card company, inbox", (ONCE, ACK), effect=CARD),
        Strategy("card company, key", (ONCE, ACK), effect=CARD_KEY),
        Strategy("automatic ack", (HANDLE,), automatic=True, brokers=("rabbitmq",)),
        # Only a process that dies shows it: closing a client in peace commits. See `kill`.
        Strategy("automatic commit", (HANDLE,), automatic=True, brokers=("kafka",)),
    )
}


class Steps(Protocol[T]):
    """What does the steps: on real stores (`real_steps`), or on paper (`predicted`)."""

    def remembered(self, what: T) -> bool: ...
    def handle(self, what: T) -> None: ...
    def remember(self, what: T) -> None: ...
    def once(self, what: T, failpoint: Callable[[str], None]) -> None: ...
    def publish(self, what: T) -> None: ...


def perform(
    strategy: Strategy,
    steps: Steps[T],
    what: T,
    ack: Callable[[], Any],
    failpoint: Callable[[str], None],
    redelivered: bool = False,
) -> None:
    """Take one payment. failpoint: called at each point where a crash may fall; it raises, or kills the process.

    What is remembered is not handled again; all other steps are done again.
    """
    if strategy.skips_redelivered and redelivered:
        ack()
        return
    failpoint("after read")
    known = REMEMBER in strategy.steps and steps.remembered(what)
    for step in strategy.steps:
        if not (known and step == HANDLE):
            _do(step, steps, what, ack, failpoint)
        failpoint(f"after {step}")


def _do(step: str, steps: Steps[T], what: T, ack: Callable[[], Any], failpoint: Callable[[str], None]) -> None:
    if step == HANDLE:
        failpoint(BEFORE_HANDLE)
        steps.handle(what)
        failpoint(AFTER_HANDLE)
    elif step == ONCE:
        steps.once(what, failpoint)  # the points are inside the transaction
    elif step == REMEMBER:
        steps.remember(what)
    elif step == PUBLISH:
        steps.publish(what)
    else:
        failpoint(BEFORE_ACK)
        ack()
