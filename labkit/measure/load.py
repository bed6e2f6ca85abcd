"""A load that does not wait for answers: each request leaves when it is due, however slow the others are.

That is an "open loop". Customers do not know of each other, and do not queue to ask. Latency counts from the moment at
which a request *should* have left; a load that waited for answers would hide the worst of them.
"""

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import aiohttp

from labkit.base.errors import NotInTimeError
from labkit.events.trace import now_ns

K = TypeVar("K")

TIMEOUT_S = 15.0  # after which a customer goes away without an answer


@dataclass(frozen=True, slots=True)
class Request:
    """One request. due_s: when it should leave, in seconds from the start. design, key: what to count it under."""

    due_s: float
    design: str
    key: str
    url: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a request. status: the HTTP status, 0 when there was no answer. note: why not.

    Times in ns by `now_ns`. sent_ns - due_ns is the lateness of the load itself.
    """

    design: str
    key: str
    due_ns: int
    sent_ns: int
    answered_ns: int
    status: int
    note: str = ""

    @property
    def ok(self) -> bool:
        return self.status == 200


def interleaved(designs: Sequence[str], keys: Sequence[K], rate: float) -> list[tuple[float, str, K]]:
    """(due_s, design, key): the keys given to the designs in turn, `rate` a second for each design, evenly.

    All designs meet the same noise of the machine, and the same outage, in the same seconds.
    """
    step = 1 / (rate * len(designs))
    return [(i * step, designs[i % len(designs)], key) for i, key in enumerate(keys)]


class Load:
    """Requests on their way, in a thread of their own. `wait` brings the answers, or the error that ended it."""

    def __init__(self, requests: Sequence[Request], timeout_s: float = TIMEOUT_S) -> None:
        self._requests = requests
        self._timeout_s = timeout_s
        self._answers: list[Answer] = []
        self._error: BaseException | None = None
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)
        self.begin_ns = 0

    def start(self) -> "Load":
        """Begin now. `begin_ns` is the start, by `now_ns`."""
        self._thread.start()
        self._ready.wait()
        return self

    def wait(self, within_s: float | None = None) -> list[Answer]:
        """All answers, in the order in which they were due. Raises what went wrong in the load's thread.

        within_s: patience; by default until every request has been answered or timed out.
        """
        last = max((r.due_s for r in self._requests), default=0)
        self._thread.join(last + self._timeout_s + 10 if within_s is None else within_s)
        if self._thread.is_alive():
            self.stop()
            raise NotInTimeError("The load did not come to its end.", "run it again, with a lower rate")
        if self._error:
            raise self._error
        return sorted(self._answers, key=lambda answer: answer.due_ns)

    def ended(self, within_s: float = 0) -> bool:
        """Wait at most so long; True when the load is over, well or not. `wait` then returns at once."""
        self._thread.join(within_s)
        return not self._thread.is_alive()

    def stop(self) -> None:
        """End the load now; what has not been answered is dropped."""
        if self._loop and self._stop and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(5)

    def _run(self) -> None:
        try:
            asyncio.run(self._drive())
        except BaseExceptionGroup as errors:
            self._error = errors.exceptions[0]  # the first to fail has ended the others
        except BaseException as error:
            self._error = error
        finally:
            self._ready.set()

    async def _drive(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=30)
        timeout = aiohttp.ClientTimeout(total=self._timeout_s)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            self.begin_ns = now_ns()
            self._ready.set()
            sending = asyncio.create_task(self._send_all(session))
            stopping = asyncio.create_task(self._stop.wait())
            await asyncio.wait([sending, stopping], return_when=asyncio.FIRST_COMPLETED)
            for task in (sending, stopping):
                if not task.done():
                    task.cancel()
            await asyncio.gather(sending, stopping, return_exceptions=True)
            if not sending.cancelled():
                sending.result()

    async def _send_all(self, session: aiohttp.ClientSession) -> None:
        async with asyncio.TaskGroup() as group:
            for request in self._requests:
                due_ns = self.begin_ns + int(request.due_s * 1e9)
                if (left := due_ns - now_ns()) > 0:
                    await asyncio.sleep(left / 1e9)
                group.create_task(self._send(session, request, due_ns))

    async def _send(self, session: aiohttp.ClientSession, request: Request, due_ns: int) -> None:
        sent_ns = now_ns()
        try:
            headers = {"content-type": "application/json"}
            async with session.post(request.url, data=request.body, headers=headers) as answer:
                text = await answer.text()
                status, note = answer.status, "" if answer.status == 200 else text
        except (aiohttp.ClientError, TimeoutError) as error:
            status, note = 0, f"{type(error).__name__}: {error}"
        self._answers.append(Answer(request.design, request.key, due_ns, sent_ns, now_ns(), status, note))
