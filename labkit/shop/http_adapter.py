"""The HTTP adapter of a service: one call, one event. And the pages on which a service is asked and disturbed."""

import logging
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from labkit.base.errors import LabError
from labkit.chaos.faults import FaultPlan, Refused
from labkit.events.event import EventError
from labkit.shop.work import Work

_log = logging.getLogger(__name__)


def app(work: Work | None, ready: Callable[[], bool], routes: list[Route] | None = None) -> Starlette:
    """The pages of a service.

    POST /events: work on an event. PUT /faults, PUT /workers: trouble, from now on.
    GET /health: 200 when ready, else 503; and how much is in work.
    work: None for a service that handles no events. routes: pages of the service's own.
    """

    async def health(request: Request) -> Response:
        return JSONResponse({"ready": ready(), "in_work": work.in_work if work else 0}, 200 if ready() else 503)

    pages = [Route("/health", health), *(routes or [])]
    if work:
        pages += _work_pages(work)
    return Starlette(routes=pages)


def _work_pages(work: Work) -> list[Route]:
    async def events(request: Request) -> Response:
        raw = await request.body()
        via, attempt = request.headers.get("x-via", "http"), request.headers.get("x-attempt", "1")
        try:
            event = await work.do(raw, via, int(attempt) if attempt.isdecimal() else 1, via)
        except EventError as error:
            return _problem(400, error)
        except Refused as refusal:
            return JSONResponse({"error": str(refusal)}, 503)
        except Exception as error:  # a broken store, a mail server that is gone
            _log.exception("an event could not be handled")
            return JSONResponse({"error": f"{type(error).__name__}: {error}"}, 500)
        return JSONResponse({"done": event.id})

    async def faults(request: Request) -> Response:
        try:
            work.faults.plan = FaultPlan.from_json(await request.body())
        except LabError as error:
            return _problem(400, error)
        return JSONResponse({"plan": "set"})

    async def workers(request: Request) -> Response:
        text = (await request.body()).decode(errors="replace")
        if not text.isdecimal() or int(text) < 1:
            return JSONResponse({"error": f"workers is {text!r}.", "cure": "send a whole number, 1 or more"}, 400)
        work.set_workers(int(text))
        return JSONResponse({"workers": work.workers})

    return [
        Route("/events", events, methods=["POST"]),
        Route("/faults", faults, methods=["PUT"]),
        Route("/workers", workers, methods=["PUT"]),
    ]


def _problem(status: int, error: LabError) -> JSONResponse:
    return JSONResponse({"error": error.what, "cure": error.cure}, status)
