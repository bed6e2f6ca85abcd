"""A sick service on a made-up clock, to check a client with: the same every time, ten seconds of load in milliseconds.

It is a stand-in, much simpler than the inventory of the lesson: one worker, one queue, first come first served.
"""

import heapq
import itertools
import types
from collections import Counter
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass, field
from typing import Any

WORK_S = 0.020  # one worker, 20 ms an order: 50 orders a second
RATE = 25  # checkouts a second: half of what the service can do
FREEZE_S = (1.0, 3.0)  # it stands still, and its queue grows
LOAD_S = 12.0
GIVE_UP_S = 60.0  # made-up seconds after which a client that has not answered never will
CALLS = 20_000  # more calls than any client needs

Client = Callable[..., Coroutine[Any, Any, Any]]


class Clock:
    """Made-up time. `now()` in seconds; `await sleep(seconds)`. Others go on while one sleeps."""

    def __init__(self) -> None:
        self._now_s = 0.0
        self._order = itertools.count()  # who began to sleep first wakes first
        self._waiting: list[tuple[float, int, Coroutine[Any, Any, None]]] = []

    def now(self) -> float:
        return self._now_s

    @types.coroutine
    def sleep(self, seconds: float) -> Generator[float, None, None]:
        yield max(0.0, seconds)

    def begin(self, task: Coroutine[Any, Any, None], at_s: float) -> None:
        heapq.heappush(self._waiting, (at_s, next(self._order), task))

    def run(self, until_s: float) -> None:
        """Let everybody go on until the time has come; who has not finished by then is ended."""
        try:
            while self._waiting and self._waiting[0][0] <= until_s:
                self._now_s, _, task = heapq.heappop(self._waiting)
                try:
                    pause_s = task.send(None)
                except StopIteration:
                    continue
                self.begin(task, self._now_s + pause_s)
        finally:
            for _, _, task in self._waiting:
                task.close()


class Budget:
    """Allows one retry for every ten calls, and no more: ten first tries put one retry into the purse."""

    def __init__(self) -> None:
        self._purse = 2.0  # a few at the start, so that the first hiccup is not fatal

    def first_try(self) -> None:
        self._purse = min(self._purse + 0.1, 10)

    def allows(self) -> bool:
        """Take one retry out of the purse. False when there is none left."""
        if self._purse < 1:
            return False
        self._purse -= 1
        return True


@dataclass
class Service:
    """Reserves stock. A key that it has seen is not reserved again; to find that out is as much work."""

    clock: Clock
    freeze_s: tuple[float, float] = (0.0, 0.0)
    loses: int = 0  # every so many-th call gets lost: in turn the call itself and the answer to it; 0: none
    reserved: list[str] = field(default_factory=list)  # the order of every reservation
    calls: list[float] = field(default_factory=list)  # when it was called
    _keys: set[str] = field(default_factory=set)
    _free_s: float = 0.0

    async def reserve(self, order: str, key: str, timeout_s: float, deadline_s: float | None = None) -> bool:
        """Reserve stock for the order; True when done. Raises TimeoutError after `timeout_s` seconds.

        key: two calls with one key are one order. deadline_s: the moment from which nobody waits for the answer; what
        cannot be done by then is not begun. Without one the work is done, whoever has gone.
        """
        now_s = self.clock.now()
        self.calls.append(now_s)
        if len(self.calls) > CALLS:
            raise RuntimeError(f"the service was called {CALLS:,} times; does the client ever stop?")
        nth, rest = divmod(len(self.calls), self.loses) if self.loses else (0, 1)
        lost, answer_lost = rest == 0 and nth % 2 == 1, rest == 0 and nth % 2 == 0
        done_s = None if lost else self._done(order, key, now_s, deadline_s)
        if done_s is None or answer_lost or done_s > now_s + timeout_s:
            await self.clock.sleep(timeout_s)
            raise TimeoutError(f"no answer within {timeout_s:g} s")
        await self.clock.sleep(done_s - now_s)
        return True

    def _done(self, order: str, key: str, now_s: float, deadline_s: float | None) -> float | None:
        """When the work will be done: behind what already waits, and never during the freeze. None: not at all."""
        frozen_s, thawed_s = self.freeze_s
        begin_s = max(now_s, self._free_s)
        if frozen_s <= begin_s < thawed_s:
            begin_s = thawed_s
        done_s = begin_s + WORK_S
        if begin_s < frozen_s < done_s:
            done_s += thawed_s - frozen_s
        if deadline_s is not None and done_s > deadline_s:
            return None
        self._free_s = done_s
        if key not in self._keys:
            self._keys.add(key)
            self.reserved.append(order)
        return done_s


@dataclass(frozen=True)
class Story:
    """What came of a load: the order of each checkout with when it began and what the customer was told."""

    begun_s: dict[str, float]
    answers: dict[str, bool]
    reserved: Counter[str]
    calls: list[float]

    def failed(self, since_s: float = 0.0) -> list[str]:
        return [order for order, begun_s in self.begun_s.items() if begun_s >= since_s and not self.answers.get(order)]


def load(client: Client, freeze_s: tuple[float, float] = FREEZE_S, loses: int = 0, seconds: float = LOAD_S) -> Story:
    """Send `RATE` orders a second through the client. Whatever the client raises is raised here."""
    clock, budget = Clock(), Budget()
    service = Service(clock, freeze_s, loses)
    begun_s = {f"order-{n}": n / RATE for n in range(int(seconds * RATE))}
    answers: dict[str, bool] = {}

    async def checkout(order: str) -> None:
        budget.first_try()
        answers[order] = bool(await client(order, service, budget, clock))

    for order, at_s in begun_s.items():
        clock.begin(checkout(order), at_s)
    clock.run(GIVE_UP_S)
    return Story(begun_s, answers, Counter(service.reserved), service.calls)
