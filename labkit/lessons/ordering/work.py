"""The work of a consumer in lesson 08: its workers, what fails on the first attempt, and when all is done."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from zlib import crc32

from labkit.base.checkpoint import checkpoint
from labkit.base.tasks import TaskGroup
from labkit.events.event import Event
from labkit.events.trace import FAILED, HANDLED, Trace
from labkit.lessons.ordering.load import Planned
from labkit.lessons.ordering.reader import Reader
from labkit.lessons.ordering.setting import Setting

SERVICE = "warehouse"
IN_PLACE_S = 0.005  # before the second attempt, when the consumer keeps the event


@dataclass(slots=True)
class Delivery:
    """An event that a consumer has. ack: tells the broker, from any thread. later: gives it away for a retry."""

    event: Event
    channel: str
    position: int
    ack: Callable[[], None]
    later: Callable[[], None]


class Run:
    """What all consumers of a run share. Its tasks are done when every event has been handled, or one has failed."""

    def __init__(self, setting: Setting, plan: Sequence[Planned]) -> None:
        self.setting, self.trace, self.tasks = setting, Trace(), TaskGroup()
        self.plan: Mapping[str, Planned] = {planned.event.id: planned for planned in plan}
        self.reader = Reader(setting.reader, self.trace)
        self._left = set(self.plan)
        self._failed: set[str] = set()
        self._detour: dict[str, str] = {}  # event that will come again -> its order
        self._lock = threading.Lock()

    @property
    def handled(self) -> int:
        return len(self.plan) - len(self._left)

    def report(self) -> None:
        """Say how far the run is. Raises CancelledError."""
        total = len(self.plan)
        checkpoint(self.handled / total, f"{self.handled:,} of {total:,} events handled")

    def finished(self) -> bool:
        """Whether every event has been handled. Raises CancelledError."""
        self.report()
        return self.tasks.done.is_set()

    def handle(self, delivery: Delivery, who: str) -> None:
        """Work on one event, with the failures that its plan has for it. Acknowledges it, or gives it away."""
        event = delivery.event
        planned = self.plan.get(event.id)
        if planned is None:  # not of this run
            delivery.ack()
            return
        if self._must_park(event):
            delivery.later()
            return
        if planned.first_try_fails and self._first_try(event.id):
            self._row(FAILED, delivery, who, "it fails on the first attempt, as the seed says")
            if self._tries_later(event):
                delivery.later()
                return
            time.sleep(IN_PLACE_S)
        time.sleep(planned.work_s)
        self._row(HANDLED, delivery, who, event.type)
        self.reader.take(event, who)
        delivery.ack()
        self._is_done(event)

    def _first_try(self, event_id: str) -> bool:
        with self._lock:
            if event_id in self._failed:
                return False
            self._failed.add(event_id)
            return True

    def has_failed(self, event_id: str) -> bool:
        """Whether this event has failed on the first attempt."""
        return event_id in self._failed

    def _tries_later(self, event: Event) -> bool:
        """Whether an event that failed goes round. One that waits behind another already may not let others pass."""
        if self.setting.retry == "in place" or (self.setting.retry == "parked" and event.id in self._detour):
            return False
        with self._lock:
            self._detour[event.id] = event.subject
        return True

    def _must_park(self, event: Event) -> bool:
        """An event of an order that has an earlier one on its way round waits behind it."""
        if self.setting.retry != "parked":
            return False
        with self._lock:
            if event.id in self._detour or event.subject not in self._detour.values():
                return False
            self._detour[event.id] = event.subject
        return True

    def _is_done(self, event: Event) -> None:
        with self._lock:
            self._detour.pop(event.id, None)
            self._left.discard(event.id)
            if not self._left:
                self.tasks.done.set()

    def _row(self, what: str, delivery: Delivery, who: str, note: str) -> None:
        event, place = delivery.event, (delivery.channel, delivery.position)
        self.trace.add(what, event.subject, event.seq, event.id, *place, who, self.setting.broker, note)


class Workers:
    """The workers of one consumer. One: the consumer's own thread. More: tasks, which share the work.

    With dispatch "by key" an order always goes to the same worker, which takes its events one by one.
    """

    def __init__(self, run: Run, who: str) -> None:
        self._run, self._who = run, who
        self._count = run.setting.workers if run.setting.workers > 1 else 0
        lines = self._count if run.setting.dispatch == "by key" else 1
        self._lines: list[SimpleQueue[Delivery | None]] = [SimpleQueue() for _ in range(max(lines, 1))]
        for i in range(self._count):
            run.tasks.start(self._work, self._lines[i % len(self._lines)], f"{who}.{i + 1}")

    def give(self, delivery: Delivery) -> None:
        """Work on it now, or hand it to a worker."""
        if not self._count:
            self._run.handle(delivery, self._who)
        else:
            order = delivery.event.subject.encode()
            self._lines[crc32(order) % len(self._lines)].put(delivery)

    def _work(self, line: "SimpleQueue[Delivery | None]", who: str) -> None:
        while (delivery := line.get()) is not None and not self._run.tasks.done.is_set():
            self._run.handle(delivery, who)

    def close(self) -> None:
        """Wake the workers, so that they see that all is done."""
        for line in self._lines:
            for _ in range(self._count):
                line.put(None)
