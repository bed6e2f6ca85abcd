"""Lesson 08: order across services. An effect must not be handled before its cause, and they come from two services.

The shop says that an order is placed, paid, packed. The shipping service reads that, and says *shipped* as soon as it
sees *packed*: packed is the cause, shipped the effect, and the event names its cause (`causation_id`). A tracking
service reads both, with one listener for each topic (RabbitMQ: each queue), as frameworks do it. Its listener for the
shop's events has more to do, so it is behind: there the cause waits, while the effect is handled.

ways: "two topics"; "two topics, wait for the cause": an effect is kept until its cause has been handled;
"one topic": shipping publishes to the shop's topic, with the same key, behind its cause.
"""

import threading
import time
from typing import Annotated

import pandas as pd

from labkit import lab
from labkit.base.checkpoint import checkpoint
from labkit.base.tasks import TaskGroup
from labkit.events.event import Event
from labkit.events.trace import HANDLED, PUBLISHED, Trace
from labkit.harness.kinds import Broker, OneOf, Seed
from labkit.harness.settings import experiment
from labkit.lessons.ordering.across_backends import SHIPPING, on_kafka, on_rabbitmq
from labkit.lessons.ordering.load import Orders, Planned, plan
from labkit.lessons.ordering.publish import publish
from labkit.measure.result import Measure, Result

WAYS = ("two topics", "two topics, wait for the cause", "one topic")
_LAST = 3  # placed, paid, packed: what the shop says; shipped is the shipping service's
_SLOWER = 1.5  # than the warehouse: its listener is behind more often than not
_SHIPPED_S = 0.0005
_TIMEOUT_S = 30


@experiment
def run(
    broker: Broker = "kafka",
    way: Annotated[str, OneOf(WAYS)] = "two topics",
    orders: Orders = 100,
    seed: Seed = 1,
) -> Result:
    """Let `orders` orders be packed and shipped, and count the effects that were handled before their cause.

    deliveries: one row per pair of cause and effect: order, cause, effect, cause_s, effect_s (when each was handled,
    in seconds), early. measures: effects, early (effects before their cause), most_kept (effects that waited at once).
    Takes 1 to 2 s. Raises SettingError, BrokerError, NotInTimeError.
    """
    said = [one for one in plan(orders, seed) if one.event.seq <= _LAST]
    tracking = Tracking(said, broker, waits="wait" in way)
    backend = on_kafka if broker == "kafka" else on_rabbitmq
    with backend(lab.brokers(broker), tracking, way == "one topic") as say:
        publish(said, [lambda planned, _: say(planned.event)], tracking.report, tracking.tasks.done)
        tracking.tasks.wait(tracking.finished, _TIMEOUT_S, "tracking has handled every event")
    return _result(tracking, way, seed)


class Tracking:
    """The service that reads both: works on every event, and writes down when it has finished."""

    def __init__(self, said: list[Planned], broker: str, waits: bool) -> None:
        self.trace, self.broker = Trace(), broker
        self.tasks = TaskGroup()
        self.most_kept = 0
        self.effects: dict[str, Event] = {}
        self._work_s = {one.event.id: _SLOWER * one.work_s for one in said}
        self._expected = len(said) + sum(one.event.seq == _LAST for one in said)
        self._handled: set[str] = set()
        self._kept: dict[str, tuple[Event, str]] = {}  # cause's id -> the effect that waits for it
        self._waits, self._lock = waits, threading.Lock()

    def report(self) -> None:
        """Say how far it is. Raises CancelledError."""
        checkpoint(len(self._handled) / self._expected, "tracking reads …")

    def finished(self) -> bool:
        self.report()
        return self.tasks.done.is_set()

    def take(self, event: Event, channel: str, who: str) -> None:
        """Handle it; or, where the way says so, keep it until its cause has been handled."""
        with self._lock:
            if event.source == SHIPPING:
                self.effects[event.id] = event
                if self._waits and event.causation_id and event.causation_id not in self._handled:
                    self._kept[event.causation_id] = (event, channel)
                    self.most_kept = max(self.most_kept, len(self._kept))
                    return
        time.sleep(self._work_s.get(event.id, _SHIPPED_S))
        self._finish(event, channel, who)

    def _finish(self, event: Event, channel: str, who: str) -> None:
        with self._lock:
            self.trace.add(HANDLED, event.subject, event.seq, event.id, channel, -1, who, self.broker, event.type)
            self._handled.add(event.id)
            waiting = self._kept.pop(event.id, None)
            if len(self._handled) == self._expected:
                self.tasks.done.set()
        if waiting is not None:
            self._finish(*waiting, who)


def _result(tracking: Tracking, way: str, seed: int) -> Result:
    table = _pairs(tracking)
    early, n = int(table["early"].sum()), len(table)
    kept = f"; up to {tracking.most_kept} waited at once" if tracking.most_kept else ""
    sentence = (
        f"{early} of {n} orders were seen as shipped before they were packed."
        if early
        else f"No order of {n} was seen as shipped before it was packed{kept}."
    )
    measures = {
        "effects": Measure(n, "events"),
        "early": Measure(early, "events"),
        "most_kept": Measure(tracking.most_kept, "events"),
    }
    load = f"{n} orders, two services, a third reads both, seed {seed}"
    about = {"broker": lab.brokers(tracking.broker).stamp, "settings": way, "load": load}
    return Result(sentence, table, measures, provenance=about, trace=tracking.trace)


def _pairs(tracking: Tracking) -> pd.DataFrame:
    """One row per effect with its cause, in the order in which effects were handled."""
    rows = tracking.trace.to_frame()
    handled = rows[rows["what"] == HANDLED].set_index("event_id")["t_s"]
    types = rows[rows["what"] == PUBLISHED].drop_duplicates("event_id").set_index("event_id")["note"]
    found = []
    for effect in tracking.effects.values():
        cause_s, effect_s = handled[effect.causation_id or ""], handled[effect.id]
        names = {"order": effect.subject, "cause": types[effect.causation_id or ""], "effect": effect.type}
        found.append({**names, "cause_s": cause_s, "effect_s": effect_s, "early": bool(effect_s < cause_s)})
    return pd.DataFrame(found).sort_values("effect_s", ignore_index=True)
