"""How a service works on what comes in, whichever way it came: the same steps behind HTTP, Kafka and RabbitMQ."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Protocol

from labkit.chaos.faults import AFTER_HANDLE, BEFORE_ACK, BEFORE_HANDLE, Faults
from labkit.events import trace
from labkit.events.event import Event, EventError, choose
from labkit.events.trace import TraceFile


class Handler(Protocol):
    """A service: what it handles, and how. `handle` answers what was done, in words."""

    @property
    def handles(self) -> Sequence[str]: ...

    def handle(self, event: Event, via: str = "") -> str: ...


class About(NamedTuple):
    """What all rows of one try say."""

    key: str
    seq: int
    event_id: str
    channel: str
    position: int
    who: str
    broker: str


class Work:
    """The workers of one service, and what goes wrong with them.

    workers: how many events are worked on at a time *for each design*, so that no design takes another's workers.
    threads: how many may be in `handle` at once; 1 for a service whose store takes only one.
    """

    def __init__(self, service: Handler, rows: TraceFile, faults: Faults, workers: int = 64, threads: int = 1) -> None:
        self.rows, self.faults = rows, faults
        self._handlers = dict.fromkeys(service.handles, service.handle)
        self._free: dict[str, asyncio.Semaphore] = {}
        self.workers = workers
        self.in_work = 0  # events and calls that are here, in work or waiting for a worker
        # Stores and mail wait for disk and network, and must not hold up the event loop.
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="handle")

    def set_workers(self, workers: int) -> None:
        """From the next event on. Those in work finish as they began."""
        self.workers = workers
        self._free = {}

    async def do(
        self, raw: bytes, via: str, attempt: int = 1, channel: str = "", position: int = -1, broker: str = ""
    ) -> Event:
        """Work on one event: wait for a free worker, meet the faults, handle. Returns the event once it is handled.

        Raises EventError for what is no event or has no handler (it will never work: poison), Refused when a fault
        refuses this try, and whatever the handler raises.
        """
        event = Event.from_bytes(raw)
        about = About(event.subject, event.seq, event.id, channel, position, "", broker)
        self.rows.add(trace.RECEIVED, *about, note=event.type)
        handle = choose(event, self._handlers, raw)
        self.in_work += 1
        try:
            await self._handle(handle, event, via, attempt, about)
        finally:
            self.in_work -= 1
        return event

    async def _handle(self, handle: Callable[..., str], event: Event, via: str, attempt: int, about: About) -> None:
        async with self._free.setdefault(via, asyncio.Semaphore(self.workers)):
            try:
                await self.faults.act_async(BEFORE_HANDLE, event.subject, attempt)
                done = await asyncio.get_running_loop().run_in_executor(self._threads, handle, event, via)
                self.rows.add(trace.EFFECT, *about, note=done)
                await self.faults.act_async(AFTER_HANDLE, event.subject, attempt)
            except Exception as error:
                self.rows.add(trace.FAILED, *about, note=f"{via}, try {attempt}: {error or type(error).__name__}")
                raise
        self.rows.add(trace.HANDLED, *about, note=event.type)
        await self.faults.act_async(BEFORE_ACK, event.subject, attempt)

    def acked(self, event: Event, channel: str, position: int, broker: str) -> None:
        """The broker has been told that this event is done."""
        self.rows.add(trace.ACKED, event.subject, event.seq, event.id, channel, position, "", broker)

    def dead_lettered(self, raw: bytes, channel: str, position: int, broker: str, why: str) -> None:
        """These bytes are with the dead letters."""
        try:
            event = Event.from_bytes(raw)
            key, seq, event_id = event.subject, event.seq, event.id
        except EventError:  # no event at all: nothing to call it by
            key, seq, event_id = "", 0, ""
        self.rows.add(trace.DEAD, key, seq, event_id, channel, position, "", broker, why)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
