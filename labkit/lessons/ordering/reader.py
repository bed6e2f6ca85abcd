"""What a reader can do about order by itself: take what comes, keep the newest, or wait for its turn."""

import threading

from labkit.events.event import Event
from labkit.events.trace import EFFECT, Trace
from labkit.patterns.reorder import Reorder


class Reader:
    """Keeps the state of every order: the number of the event that it was set by last. Each change is an EFFECT row.

    way: "takes what comes" (the last writer wins), "newest wins" (an older event changes nothing), or "waits for its
    turn" (an event that comes too early is kept until those before it have come).
    """

    def __init__(self, way: str, trace: Trace) -> None:
        self._way, self._trace = way, trace
        self._state: dict[str, int] = {}
        self._buffer: Reorder[tuple[Event, str]] = Reorder()
        self._lock = threading.Lock()

    def take(self, event: Event, who: str) -> None:
        """Apply the event, as the way says."""
        with self._lock:
            if self._way == "waits for its turn":
                for turn, by in self._buffer.take(event.subject, event.seq, (event, who)):
                    self._apply(turn, by)
            elif self._way != "newest wins" or event.seq > self._state.get(event.subject, 0):
                self._apply(event, who)

    def _apply(self, event: Event, who: str) -> None:
        self._state[event.subject] = event.seq
        self._trace.add(EFFECT, event.subject, event.seq, event.id, who=who, note=event.type)
