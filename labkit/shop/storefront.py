"""The storefront: orders come in at a steady rate, and each one is published. It has never heard of a subscriber."""

import asyncio
import itertools
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from labkit.base.errors import LabError
from labkit.events import trace
from labkit.events.event import Event
from labkit.events.trace import Tracer
from labkit.shop import orders


class Publisher(Protocol):
    async def publish(self, event: Event) -> None: ...


class Storefront:
    """Publishes real orders, one after the other, to the brokers in turn: `rate` a second for each broker.

    It publishes as many as it is told (`publish_up_to`), then waits to be told more. rows: takes what happens.
    """

    def __init__(self, publishers: Mapping[str, Publisher], rows: Tracer, rate: float) -> None:
        self._orders = orders.load()
        self._publishers, self._rows, self._rate = publishers, rows, rate
        self._tasks: set[asyncio.Task[None]] = set()
        self._upto = 0
        self._more = asyncio.Event()
        self.ready = True

    def open(self) -> None:
        self._spawn(self._open_shop())

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()

    def publish_up_to(self, upto: int) -> None:
        """Publish until `upto` orders, counted from the start of the process, are published on each broker.

        A smaller number than before ends the flow sooner.
        """
        self._upto = upto * len(self._publishers)
        self._more.set()

    async def publish(self, event: Event, broker: str) -> None:
        """Publish one event, and write down when it was sent, and when the broker had it."""
        self._rows.add(trace.PUBLISHED, event.subject, event.seq, event.id, broker=broker, note=event.type)
        try:
            await self._publishers[broker].publish(event)
        except LabError as error:
            self._rows.add(trace.FAILED, event.subject, event.seq, event.id, broker=broker, note=error.what)
        else:
            self._rows.add(trace.CONFIRMED, event.subject, event.seq, event.id, broker=broker)

    async def _open_shop(self) -> None:
        loop = asyncio.get_running_loop()
        step, due = 1 / (self._rate * len(self._publishers)), loop.time()
        for i, (event, broker) in enumerate(zip(placed(self._orders), itertools.cycle(self._publishers), strict=False)):
            while i >= self._upto:
                self._more.clear()
                await self._more.wait()
                due = loop.time()
            await asyncio.sleep(due - loop.time())
            self._spawn(self.publish(event, broker))  # nobody waits: the next customer comes when she comes
            due += step

    def _spawn(self, doing: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(doing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def placed(found: Sequence[orders.Order]) -> Iterator[Event]:
    """An OrderPlaced of each order; then the same orders placed again, under other ids."""
    for again in itertools.count():
        for order in found:
            key = f"{order.id}-{again + 1}" if again else order.id
            data = order.placed_event()["data"] | {"order": key}
            yield Event("OrderPlaced", "/shop/storefront", key, data, id=f"{key}-placed", seq=1)


def route(storefront: Storefront) -> Route:
    """PUT /flow with a number: go on until so many orders are published on each broker. 400 for anything else."""

    async def flow(request: Request) -> Response:
        text = (await request.body()).decode(errors="replace")
        if not text.isdecimal():
            return JSONResponse({"error": f"flow is {text!r}.", "cure": "send a whole number"}, 400)
        storefront.publish_up_to(int(text))
        return JSONResponse({"upto": int(text)})

    return Route("/flow", flow, methods=["PUT"])
