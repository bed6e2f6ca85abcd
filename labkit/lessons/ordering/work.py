"""The work of a consumer in lesson 08: its workers, what fails at the first try, and when all is done."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from queue import SimpleQueue
from zlib import crc32

from labkit.events.event import Event
from labkit.events.trace import FAILED, HANDLED, Trace
from labkit.lessons.ordering.load import Planned
from labkit.lessons.ordering.reader import Reader
from labkit.lessons.ordering.setting import Setting

SERVICE = "warehouse"
IN_PLACE_S = 0.005  # before the second try, when the event is kept in hand


@dataclass(slots=True)
class Delivery:
    """An event in the hands of a consumer. ack: tells the broker, from any thread. later: gives it away for a retry."""

    event: Event
    channel: str
    position: int
    ack: Callable[[], None]
    later: Callable[[], None]


class Run:
    """What all consumers of a run share. `done` is set when every event has been handled, or the run is over."""

    def __init__(self, setting: Setting, plan: list[Planned], trace: Trace) -> None:
        self.setting, self.trace = setting, trace
        self.plan: Mapping[str, Planned] = {planned.event.id: planned for planned in plan}
        self.done = threading.Event()
        self.errors: SimpleQueue[BaseException] = SimpleQueue()
        self.reader = Reader(setting.reader, trace)
        self._left = set(self.plan)
        self._failed: set[str] = set()
        self._on_way: dict[str, str] = {}  # event that is on its way round -> its order
        self._lock = threading.Lock()

    @property
    def handled(self) -> int:
        return len(self.plan) - len(self._left)

    def fail(self, error: BaseException) -> None:
        """The run cannot go on. The first error is raised in the cell."""
        self.errors.put(error)
        self.done.set()

    def check(self) -> None:
        """Raise the first error of the run, if there is one."""
        if not self.errors.empty():
            raise self.errors.get()

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
        if planned.fails_first and self._first_try(event.id):
            self._row(FAILED, delivery, who, "its first try fails: so says the seed")
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
        """Whether the first try of this event has failed."""
        return event_id in self._failed

    def _tries_later(self, event: Event) -> bool:
        """Whether an event that failed goes round. One that waits behind another already may not let others pass."""
        if self.setting.retry == "in place" or (self.setting.retry == "parked" and event.id in self._on_way):
            return False
        with self._lock:
            self._on_way[event.id] = event.subject
        return True

    def _must_park(self, event: Event) -> bool:
        """An event of an order that has an earlier one on its way round waits behind it."""
        if self.setting.retry != "parked":
            return False
        with self._lock:
            if event.id in self._on_way or event.subject not in self._on_way.values():
                return False
            self._on_way[event.id] = event.subject
        return True

    def _is_done(self, event: Event) -> None:
        with self._lock:
            self._on_way.pop(event.id, None)
            self._left.discard(event.id)
            if not self._left:
                self.done.set()

    def _row(self, what: str, delivery: Delivery, who: str, note: str) -> None:
        event, place = delivery.event, (delivery.channel, delivery.position)
        self.trace.add(what, event.subject, event.seq, event.id, *place, who, self.setting.broker, note)


class Workers:
    """The workers of one consumer. One: the consumer's own thread. More: threads, which share the work.

    With "each order its own" an order always goes to the same worker, which takes its events one by one.
    """

    def __init__(self, run: Run, who: str) -> None:
        self._run, self._who = run, who
        count = run.setting.workers
        own = run.setting.sharing == "each order its own"
        lines: list[SimpleQueue[Delivery | None]] = [SimpleQueue() for _ in range(count if own else 1)]
        self._lines = lines
        self._threads = [
            threading.Thread(target=self._work, args=(lines[i % len(lines)], f"{who}.{i + 1}"), daemon=True)
            for i in range(count if count > 1 else 0)
        ]
        for thread in self._threads:
            thread.start()

    def give(self, delivery: Delivery) -> None:
        """Work on it now, or hand it to a worker."""
        if not self._threads:
            self._run.handle(delivery, self._who)
        else:
            order = delivery.event.subject.encode()
            self._lines[crc32(order) % len(self._lines)].put(delivery)

    def _work(self, line: "SimpleQueue[Delivery | None]", who: str) -> None:
        try:
            while (delivery := line.get()) is not None and not self._run.done.is_set():
                self._run.handle(delivery, who)
        except BaseException as error:
            self._run.fail(error)

    def close(self) -> None:
        """Let the workers finish what they have in hand, and end."""
        for line in self._lines:
            for _ in self._threads:
                line.put(None)
        for thread in self._threads:
            thread.join()
