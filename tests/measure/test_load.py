"""The load: open, interleaved, honest about itself. The server here is the test's own."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from aiohttp import web

from labkit.base import ports
from labkit.measure.load import Answer, Load, Request, interleaved

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """Answers POST with what `handler` makes of it, in a thread of its own."""

    def __init__(self) -> None:
        self.port = ports.free(1)[0]
        self.handler: Handler = self.ok
        self._loop = asyncio.new_event_loop()
        self._up = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self._up.wait(10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    async def ok(self, request: web.Request) -> web.StreamResponse:
        return web.Response(text="fine")

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        return await self.handler(request)

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._up.set()
        self._loop.run_forever()
        self._loop.run_until_complete(self._runner.cleanup())
        self._loop.close()

    async def _serve(self) -> None:
        app = web.Application()
        app.router.add_post("/", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()
    yield found
    found.close()


def requests(url: str, n: int, rate: float = 200.0) -> list[Request]:
    return [Request(i / rate, "http", str(i), url, b"{}") for i in range(n)]


def test_requests_leave_when_they_are_due_though_no_answer_has_come(server: Server) -> None:
    """The server answers nobody until all are there. A load that waited for an answer would wait forever."""
    n, seen, all_here = 20, [0], asyncio.Event()

    async def when_all_are_here(request: web.Request) -> web.StreamResponse:
        seen[0] += 1
        if seen[0] == n:
            all_here.set()
        await all_here.wait()
        return web.Response(text="fine")

    server.handler = when_all_are_here
    answers = Load(requests(server.url, n), timeout_s=20).start().wait()
    assert [answer.status for answer in answers] == [200] * n


def test_latency_counts_from_the_moment_at_which_a_request_was_due(server: Server) -> None:
    load = Load(requests(server.url, 5)).start()
    answers = load.wait()
    assert [answer.due_ns - load.begin_ns for answer in answers] == [0, 5_000_000, 10_000_000, 15_000_000, 20_000_000]
    assert all(answer.due_ns <= answer.sent_ns <= answer.answered_ns for answer in answers)


def test_a_refused_order_keeps_its_status_and_the_reason(server: Server) -> None:
    async def no(request: web.Request) -> web.StreamResponse:
        return web.Response(status=503, text="no stock")

    server.handler = no
    (answer,) = Load(requests(server.url, 1)).start().wait()
    assert (answer.status, answer.note, answer.ok) == (503, "no stock", False)


def test_nobody_listening_is_an_answer_too() -> None:
    (answer,) = Load(requests(f"http://127.0.0.1:{ports.free(1)[0]}/", 1)).start().wait()
    assert (answer.status, answer.ok) == (0, False)
    assert "Connect" in answer.note


def test_a_customer_who_waits_too_long_goes_away(server: Server) -> None:
    async def never(request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    server.handler = never
    (answer,) = Load(requests(server.url, 1), timeout_s=0.1).start().wait()
    assert (answer.status, answer.ok) == (0, False)
    assert "Timeout" in answer.note


def test_the_load_can_be_stopped_in_the_middle(server: Server) -> None:
    load = Load([*requests(server.url, 3), Request(60.0, "http", "late", server.url, b"{}")]).start()
    assert not load.ended()
    load.stop()
    assert load.ended(10)
    assert all(isinstance(answer, Answer) and answer.key != "late" for answer in load.wait())


def test_an_error_in_the_loads_thread_comes_back_to_the_caller(server: Server) -> None:
    broken: Any = object()  # no text, no bytes: aiohttp cannot send it
    with pytest.raises(TypeError):
        Load([Request(0, "http", "1", server.url, broken)]).start().wait()


def test_designs_take_turns_and_each_has_its_rate() -> None:
    rows = interleaved(("http", "kafka"), ["a", "b", "c", "d"], rate=25)
    assert rows == [(0.0, "http", "a"), (0.02, "kafka", "b"), (0.04, "http", "c"), (0.06, "kafka", "d")]
