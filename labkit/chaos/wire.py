"""A TCP proxy in front of a broker, on which answers get lost: the broker has the event, and nobody says so.

    with Wire(parameters.host, parameters.port) as wire:
        parameters.host, parameters.port = wire.host, wire.port
        wire.lose_the_answer_to([event.id])

The field's tool for this is Toxiproxy. It is a program of its own, in Go, which knows bytes, delays and limits, and
nothing of events: it cannot lose the answer to one event. So a small one of our own stands here.
"""

import asyncio
import threading
from collections.abc import Coroutine, Iterable
from typing import Any, Self

from labkit.base import patience, ports
from labkit.base.errors import LabError

_BYTES = 1 << 16
_TIMEOUT_S = 10.0
_TRIES = 3  # at free ports, of which another program may take one before we listen


class WireError(LabError):
    """A wire cannot listen, or is used outside its `with`."""


class Wire:
    """Connections to `port` are carried on to a server, both ways, until the wire is told otherwise.

    Use it in a `with`; its methods, from any thread, act before they return. host, port: where clients connect.
    lost: how often something that the server said was lost. server_host, server_port: where the wire leads to.
    kafka: the server is a Kafka on this machine, which tells its clients where to connect; it then tells them our port.
    An unexpected error inside the wire is raised at the end of the `with`. Raises WireError.
    """

    host = "127.0.0.1"

    def __init__(self, server_host: str, server_port: int, kafka: bool = False) -> None:
        if kafka and server_host != self.host:
            raise WireError(
                f"A wire can only stand in front of a Kafka on {self.host}, not on {server_host}.", "use the native lab"
            )
        self.port, self.lost = 0, 0
        self._server_at, self._kafka = (server_host, server_port), kafka
        self._markers: set[bytes] = set()
        self._bytes_left: int | None = None  # how much the server may still say before its answers get lost
        self._error: Exception | None = None
        self._connections: set[asyncio.Task[Any]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="wire", daemon=True)
        self._thread.start()
        try:
            self._do(self._open())
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *problem: object) -> None:
        try:
            self._do(self._unplug())
            self._do(self._settle())
        finally:
            self._close()
        if self._error is not None and kind is None:  # the body's own error wins
            raise self._error

    # One at a time: each of these takes the place of the one before.

    def lose_the_answer_to(self, markers: Iterable[str]) -> None:
        """Lose the answer to each request in which one of these texts comes by (ids of events), once for each text.

        The request arrives. When the answer comes, the connection is cut. Who connects again meets a whole wire.
        """
        self._do(self._set(markers={one.encode() for one in markers}))

    def lose_answers(self, after_bytes: int = 0) -> None:
        """Let nothing of what the server says arrive, from now on, and keep the connections. Requests arrive.

        after_bytes: so much of it still arrives.
        """
        self._do(self._set(bytes_left=after_bytes))

    def hold(self) -> None:
        """Carry nothing, both ways, and keep it: the network stands still."""
        self._do(self._set(held=True))

    def restore(self) -> None:
        """Carry everything again, first what was held. What was lost stays lost."""
        self._do(self._set())

    def cut(self) -> None:
        """Break every connection. Who connects again is carried on."""
        self._do(self._cut())

    def unplug(self) -> None:
        """Break every connection, and refuse new ones until `plug_in`."""
        self._do(self._unplug())

    def plug_in(self) -> None:
        """Take connections again, on the same port. Raises WireError when another program has it meanwhile."""
        self._do(self._listen())

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something in the wire's own thread."""
        if self._loop is None:
            work.close()
            raise WireError("This wire is not open.", "use it inside its `with`")
        asyncio.run_coroutine_threadsafe(work, self._loop).result(patience.seconds(_TIMEOUT_S))

    def _close(self) -> None:
        assert self._loop
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(patience.seconds(_TIMEOUT_S))
        self._loop.close()
        self._loop = None

    async def _set(self, markers: set[bytes] | None = None, bytes_left: int | None = None, held: bool = False) -> None:
        self._markers, self._bytes_left = markers or set(), bytes_left
        if held:
            self._going.clear()
        else:
            self._going.set()

    async def _open(self) -> None:
        self._going = asyncio.Event()
        self._going.set()
        for left in reversed(range(_TRIES)):
            (self.port,) = ports.free(1)
            try:
                return await self._listen()
            except WireError:
                if not left:
                    raise

    async def _listen(self) -> None:
        try:
            self._server = await asyncio.start_server(self._connected, self.host, self.port)
        except OSError as error:
            raise WireError(f"The wire cannot listen on port {self.port}: {error}.", "run it again") from error

    async def _unplug(self) -> None:
        self._server.close()
        await self._cut()

    async def _cut(self) -> None:
        connections = list(self._connections)
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def _settle(self) -> None:
        """Let no task be left: one may have begun while the others were cut."""
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        this = asyncio.current_task()
        assert this
        self._connections.add(this)
        ends = [writer]
        try:
            server_reader, server_writer = await asyncio.open_connection(*self._server_at)
            ends.append(server_writer)
            mute = asyncio.Event()  # once set, the next thing that the server says is the answer that gets lost
            async with asyncio.TaskGroup() as both:
                both.create_task(self._ask(reader, server_writer, mute))
                both.create_task(self._answer(server_reader, writer, mute))
            for end in ends:
                end.close()
        except* (OSError, _CutError, asyncio.CancelledError):
            pass  # cut, or one of the two has gone, or there is no server: the client meets what it would without us
        except* Exception as errors:
            self._error = errors.exceptions[0]
        finally:
            self._connections.discard(this)
            for end in ends:
                if not end.is_closing():
                    end.transport.abort()

    async def _ask(self, reader: asyncio.StreamReader, server: asyncio.StreamWriter, mute: asyncio.Event) -> None:
        seen = b""
        while data := await reader.read(_BYTES):
            await self._going.wait()
            seen = seen[-200:] + data  # a marker may be cut in two
            for marker in [one for one in self._markers if one in seen]:
                self._markers.discard(marker)
                mute.set()
            server.write(data)
            await server.drain()
        server.write_eof()

    async def _answer(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter, mute: asyncio.Event) -> None:
        while data := await reader.read(_BYTES):
            await self._going.wait()
            if mute.is_set():
                self.lost += 1
                raise _CutError
            if self._bytes_left is not None:
                data, whole = data[: self._bytes_left], data
                self._bytes_left -= len(data)
                self.lost += data != whole
            client.write(self._with_our_port(data))
            await client.drain()
        client.write_eof()

    def _with_our_port(self, data: bytes) -> bytes:
        if not self._kafka:
            return data
        host, port = self._server_at
        return data.replace(host.encode() + port.to_bytes(4, "big"), host.encode() + self.port.to_bytes(4, "big"))


class _CutError(Exception):
    """This connection is to end."""
