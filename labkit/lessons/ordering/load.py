"""What the shop says in a run of lesson 08: the lives of some hundred orders, each five events long.

All of it is drawn from the seed: who ordered, when each event leaves, how long its handling takes, whether it fails
on the first attempt. So two settings of a run do the same work, and a difference is the setting's.
"""

import random
from dataclasses import dataclass
from typing import Annotated

from labkit.events.event import Event
from labkit.harness.kinds import Number, OneOf, Seed, Whole
from labkit.harness.settings import experiment

LIFE = ("OrderPlaced", "PaymentTaken", "OrderPacked", "OrderShipped", "OrderDelivered")
CUSTOMERS = 60
KEYS = ("order", "customer", "type", "none")


@dataclass(frozen=True)
class Shape:
    """How the events of one order follow each other, and how long each is worked on.

    gap_ms: mean time between two events of an order. slow: the part of events that take slow_ms longer.
    every_s: from the start of an order to the start of the next.
    """

    gap_ms: float
    slow: float
    slow_ms: float = 10.0
    every_s: float = 0.005


SHAPES = {
    # Taken because faults are easy to see in it, not because shops look like this.
    "rush": Shape(gap_ms=5, slow=0.1),
    "gentle": Shape(gap_ms=40, slow=0.0),
    "long lives": Shape(gap_ms=100, slow=0.1),  # an order outlives a change of the topic
    "burst": Shape(gap_ms=5, slow=0.1, every_s=0.001),  # more than four consumers can do: who is how fast?
}


Load = Annotated[str, OneOf(SHAPES, control=["rush", "gentle", "long lives"])]
Orders = Annotated[int, Whole(1, 5000, control=False)]
FirstTryFails = Annotated[float, Number(0, 1, unit="%", control=(0.0, 0.2, 0.05))]  # the part of events


@dataclass(frozen=True, slots=True)
class Planned:
    """One event, and what shall happen to it. Times in seconds; due_s from the start of the run."""

    event: Event
    customer: str
    due_s: float
    work_s: float
    first_try_fails: bool

    def key(self, by: str) -> str:
        """The key of the event when events are keyed by this; empty for no key."""
        return {"order": self.event.subject, "customer": self.customer, "type": self.event.type, "none": ""}[by]


@experiment
def plan(orders: Orders, seed: Seed, load: Load = "rush", first_try_fails: FirstTryFails = 0.0) -> list[Planned]:
    """All events of a run, in the order in which they are due. A new order begins every 5 ms (burst: 1 ms).

    first_try_fails: the part of events that fail on the first attempt, from 0 to 1. Raises SettingError.
    """
    dice, form = random.Random(seed), SHAPES[load]
    found: list[Planned] = []
    for number in range(1, orders + 1):
        customer, due_s = f"customer-{dice.randrange(CUSTOMERS)}", form.every_s * (number - 1)
        cause: Event | None = None
        for seq, kind in enumerate(LIFE, 1):
            if cause is None:
                event = Event(kind, "/shop/orders", str(number), {"customer": customer}, seq=seq)
            else:
                event = cause.caused(kind, "/shop/orders", {"customer": customer}, seq=seq)
                due_s += dice.expovariate(1 / form.gap_ms) / 1000
            work_s = dice.uniform(0.0002, 0.0008) + (form.slow_ms / 1000 if dice.random() < form.slow else 0.0)
            found.append(Planned(event, customer, due_s, work_s, dice.random() < first_try_fails))
            cause = event
    found.sort(key=lambda planned: planned.due_s)
    return found
