"""A wire between a publisher and its broker that loses answers: the broker has the event, and nobody says so.

It carries bytes both ways. When a request carries one of the ids in `lose`, it goes through, the broker's answer comes,
and then the wire is cut before the answer arrives. Each id is lost once; who connects again meets a whole wire.
"""

import socket
import threading
from collections.abc import Callable, Iterable
from typing import Any, Self

_HOST = "127.0.0.1"
_BYTES = 1 << 16
_ANSWER_S = 5.0


class Wire:
    """Use it in a `with`. port: where the publisher connects. lost: how many answers were lost.

    rewrite: in what the broker says, replace its own port by ours (Kafka tells its clients where to connect).
    """

    def __init__(self, host: str, port: int, lose: Iterable[str], rewrite: bool = False) -> None:
        self._to, self._lose, self._rewrite = (host, port), {one.encode() for one in lose}, rewrite
        self._server = socket.create_server((_HOST, 0))
        self.port = int(self._server.getsockname()[1])
        self.lost = 0
        self._ends: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._begin(self._accept)
        return self

    def __exit__(self, *problem: object) -> None:
        _cut(self._server)
        with self._lock:
            ends = list(self._ends)
        for end in ends:
            _cut(end)
        for thread in self._threads:
            thread.join(_ANSWER_S)

    def _begin(self, what: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=what, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._server.accept()
                far = socket.create_connection(self._to)
            except OSError:
                return
            with self._lock:
                self._ends |= {near, far}
            mute = threading.Event()  # once set, the next thing the broker says is the answer that gets lost
            self._begin(self._ask, near, far, mute)
            self._begin(self._answer, near, far, mute)

    def _ask(self, near: socket.socket, far: socket.socket, mute: threading.Event) -> None:
        """From the publisher to the broker."""
        seen = b""
        try:
            while data := near.recv(_BYTES):
                seen = seen[-200:] + data  # an id may be cut in two
                for one in [one for one in self._lose if one in seen]:
                    self._lose.discard(one)
                    mute.set()
                far.sendall(data)
        except OSError:
            pass
        _cut(far)

    def _answer(self, near: socket.socket, far: socket.socket, mute: threading.Event) -> None:
        """From the broker to the publisher."""
        try:
            while data := far.recv(_BYTES):
                if mute.is_set():
                    self.lost += 1
                    break
                near.sendall(self._ours(data) if self._rewrite else data)
        except OSError:
            pass
        _cut(near)
        _cut(far)

    def _ours(self, data: bytes) -> bytes:
        host, port = self._to
        return data.replace(host.encode() + port.to_bytes(4, "big"), host.encode() + self.port.to_bytes(4, "big"))


def _cut(end: socket.socket) -> None:
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    end.close()
