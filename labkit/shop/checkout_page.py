"""Checkout's HTTP page, and the calls it makes itself."""

import aiohttp
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from labkit.base.errors import LabError
from labkit.events import trace
from labkit.events.event import CONTENT_TYPE, Event, EventError
from labkit.events.trace import TraceFile
from labkit.shop.checkout import CallError, Checkout


def route(checkout: Checkout, rows: TraceFile) -> Route:
    """POST /checkout/<design> with an OrderPlaced: 200 when the order is taken, 503 when not, 400 for nonsense."""

    async def place(request: Request) -> Response:
        design = request.path_params["design"]
        try:
            event = Event.from_bytes(await request.body())
            await checkout.place(event, design)
        except EventError as error:
            return _answer(400, error=error.what, cure=error.cure)
        except LabError as error:
            rows.add(trace.FAILED, event.subject, event.seq, event.id, note=f"{design}: {error.what}")
            return _answer(503, error=error.what, cure=error.cure)
        return _answer(200, order=event.subject)

    return Route("/checkout/{design}", place, methods=["POST"])


class Caller:
    """Calls the other services, over connections that are kept. services: name -> URL."""

    def __init__(self, services: dict[str, str]) -> None:
        self._urls = {name: f"{url}/events" for name, url in services.items()}
        self._session: aiohttp.ClientSession | None = None

    async def call(self, service: str, event: Event, design: str, attempt: int, timeout_s: float) -> None:
        """Hand the event to one service. Raises CallError unless it answers 200 within `timeout_s`."""
        if self._session is None:
            # No limit: how many calls are open at once is up to the load, and is what the lesson looks at.
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30))
        headers = {"content-type": CONTENT_TYPE, "x-via": design, "x-attempt": str(attempt)}
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        try:
            async with self._session.post(
                self._urls[service], data=event.to_bytes(), headers=headers, timeout=timeout
            ) as answer:
                if answer.status != 200:
                    raise CallError(f"it answered {answer.status}: {(await answer.text())[:200]}")
                await answer.read()
        except TimeoutError as error:
            raise CallError(f"no answer within {timeout_s:g} s (try {attempt})") from error
        except aiohttp.ClientConnectorError as error:
            raise CallError("nobody listens there (connection refused)") from error
        except aiohttp.ClientError as error:
            raise CallError(f"the connection broke ({type(error).__name__})") from error


def _answer(status: int, **content: str) -> Response:
    return JSONResponse(content, status)
