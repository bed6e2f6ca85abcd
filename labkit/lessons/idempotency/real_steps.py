"""The steps, done for real: charges in SQLite or at the card company, the inbox, PaymentTaken."""

from collections.abc import Callable
from typing import Any

from labkit.chaos.faults import AFTER_HANDLE, BEFORE_HANDLE
from labkit.events.event import Event
from labkit.events.trace import EFFECT, Tracer
from labkit.lessons.idempotency.crashes import SERVICE
from labkit.lessons.idempotency.ledger import Ledger
from labkit.lessons.idempotency.reading import Delivery
from labkit.lessons.idempotency.steps import CARD, CARD_KEY
from labkit.patterns import inbox

Charge = Callable[[str, int, str], Any]  # order, cents, idempotency key (empty: none)
Announce = Callable[[Event], None]


class RealSteps:
    """What the consumer of a run does with an event.

    charge: the card company; for effects outside the ledger. announce: publishes, and returns when it is confirmed.
    """

    def __init__(
        self,
        ledger: Ledger,
        effect: str,
        trace: Tracer,
        broker: str,
        charge: Charge | None = None,
        announce: Announce | None = None,
    ) -> None:
        self._ledger, self._effect, self._trace, self._broker = ledger, effect, trace, broker
        self._charge, self._announce = charge, announce

    def remembered(self, what: Delivery) -> bool:
        with self._ledger.guarded():
            return self._ledger.remembered(what.event.id)

    def handle(self, what: Delivery) -> None:
        with self._ledger.guarded(), self._ledger.store:
            self._take_money(what.event)
        self._stored(what)

    def remember(self, what: Delivery) -> None:
        with self._ledger.guarded(), self._ledger.store:
            inbox.remember(self._ledger.store, what.event.id, what.event.time.timestamp())

    def once(self, what: Delivery, failpoint: Callable[[str], None]) -> None:
        event = what.event

        def effect() -> None:
            failpoint(BEFORE_HANDLE)
            self._take_money(event)
            failpoint(AFTER_HANDLE)

        with self._ledger.guarded():
            new = inbox.once(self._ledger.store, event.id, effect, event.time.timestamp())
        if new:
            self._stored(what)

    def publish(self, what: Delivery) -> None:
        assert self._announce is not None  # only strategies with this step come here
        self._announce(what.event)

    def _take_money(self, event: Event) -> None:
        order, cents = event.subject, int(event.data["cents"])
        if self._effect in (CARD, CARD_KEY):
            assert self._charge is not None
            self._charge(order, cents, event.id if self._effect == CARD_KEY else "")
        else:
            self._ledger.charge(order, cents)

    def _stored(self, what: Delivery) -> None:
        """The charge is stored."""
        what.handled()
        event = what.event
        self._trace.add(EFFECT, event.subject, 0, event.id, who=SERVICE, broker=self._broker, note="charged")
