"""Checkout: takes an order, and has the rest of the shop do its part. Five ways to do that, side by side."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from labkit.base.errors import LabError
from labkit.events import trace
from labkit.events.event import Event
from labkit.events.trace import Tracer
from labkit.shop.config import REACTING
from labkit.shop.defence import Breaker, RetryBudget

PATIENT_S = 10.0  # of one call, in the plain chain
TRIES = 3
WAITS_S = (0.02, 0.04)  # before the second and the third try

HTTP_DESIGNS = ("http", "retries", "defended")
EVENT_DESIGNS = ("kafka", "rabbitmq")

Call = Callable[[str, Event, str, int, float], Awaitable[None]]
"""call(service, event, design, attempt, timeout_s): one HTTP call. Raises CallError."""


class CallError(Exception):
    """A call to a service went wrong: refused, timed out, or the service said no."""


class CheckoutError(LabError):
    """The order was not taken."""


class Publisher(Protocol):
    async def publish(self, event: Event) -> None: ...


@dataclass(frozen=True)
class Defence:
    """What stands between checkout and one service, in the design `defended`."""

    budget: RetryBudget
    breaker: Breaker


class Checkout:
    """call: makes an HTTP call. publishers: by design, "kafka" and "rabbitmq". rows: takes what happens.
    timeout_s: of one call, in the designs that retry.
    """

    def __init__(self, call: Call, publishers: Mapping[str, Publisher], rows: Tracer, timeout_s: float = 0.25) -> None:
        self.timeout_s = timeout_s
        self._call, self._publishers, self._rows = call, publishers, rows
        self._defences = {service: Defence(RetryBudget(), Breaker()) for service in REACTING}
        self._chains = {"http": self._once, "retries": self._retry, "defended": self._defend}

    async def place(self, event: Event, design: str) -> None:
        """Take the order of this OrderPlaced by `design`. Raises LabError when it was not taken."""
        if design in self._chains:
            await self._chain(event, design)
        elif design in self._publishers:
            await self._publish(event, design)
        else:
            known = ", ".join([*self._chains, *self._publishers])
            raise CheckoutError(f"Checkout knows no design {design!r}.", f"take one of {known}")

    async def _publish(self, event: Event, design: str) -> None:
        """One publish, confirmed: the order is safe, and there is nobody to wait for."""
        self._rows.add(trace.PUBLISHED, event.subject, event.seq, event.id, broker=design, note=event.type)
        await self._publishers[design].publish(event)
        self._rows.add(trace.CONFIRMED, event.subject, event.seq, event.id, broker=design)

    async def _chain(self, event: Event, design: str) -> None:
        """One service after the other; the customer waits for all three, and needs all three."""
        for service in REACTING:
            try:
                await self._chains[design](service, event)
            except CallError as error:
                raise CheckoutError(f"{service}: {error}", "try again later") from error

    async def _once(self, service: str, event: Event) -> None:
        await self._call(service, event, "http", 1, PATIENT_S)

    async def _retry(self, service: str, event: Event) -> None:
        """The ordinary defence: a short timeout, and three tries."""
        for attempt in range(1, TRIES + 1):
            try:
                return await self._call(service, event, "retries", attempt, self.timeout_s)
            except CallError:
                if attempt == TRIES:
                    raise
                await asyncio.sleep(WAITS_S[attempt - 1])

    async def _defend(self, service: str, event: Event) -> None:
        """The same, but retries have a budget, and a service that only fails is left alone for a while."""
        defence = self._defences[service]
        defence.budget.call()
        for attempt in range(1, TRIES + 1):
            if not defence.breaker.allows():
                raise CallError("the breaker is open: not called")
            try:
                await self._call(service, event, "defended", attempt, self.timeout_s)
                return defence.breaker.succeeded()
            except CallError:
                defence.breaker.failed()
                if attempt == TRIES or not defence.budget.take():
                    raise
                await asyncio.sleep(WAITS_S[attempt - 1])
