"""The card company: a program of its own, which charges when it is told to. Nobody's transaction reaches it.

`python -m labkit.lessons.idempotency.card <port>` is the program; `Company` starts it, and talks to it.
POST /charge {"order": "17", "cents": 499}, with or without an `Idempotency-Key`. GET /charges: order -> how often.
"""

import http.client
import json
import socketserver
import sys
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from labkit.base import patience, ports
from labkit.chaos.processes import PORT_TAKEN, PortTakenError, ServiceError, ServiceProcess

_TRIES = 3  # at free ports, of which another program may take one before we listen
_TIMEOUT_S = 15.0  # a busy machine may keep it waiting


class Company:
    """The card company as a process. Use it in a `with`. Raises ServiceError when it does not start or answer."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: ServiceProcess | None = None
        self._line: http.client.HTTPConnection | None = None

    def __enter__(self) -> Self:
        for left in reversed(range(_TRIES)):
            (port,) = ports.free(1)
            argv = ["-m", "labkit.lessons.idempotency.card", str(port)]
            process = ServiceProcess("card company", argv, port, self._folder / "card-company.log")
            try:
                process.start()
            except BaseException as error:
                process.stop()
                if isinstance(error, PortTakenError) and left:
                    continue
                raise
            self._process = process
            self._line = http.client.HTTPConnection("127.0.0.1", port, timeout=patience.seconds(_TIMEOUT_S))
            return self
        raise AssertionError("the last try returns or raises")

    def __exit__(self, *problem: object) -> None:
        if self._line is not None:
            self._line.close()
        if self._process is not None:
            self._process.stop()

    def charge(self, order: str, cents: int, key: str = "") -> None:
        """Charge a customer. key: by which the company knows a second try; empty: it knows none."""
        headers = {"Idempotency-Key": key} if key else {}
        self._ask("POST", "/charge", json.dumps({"order": order, "cents": cents}), headers)

    def charges(self) -> dict[str, int]:
        """order -> how often its customer was charged."""
        return {str(order): int(times) for order, times in self._ask("GET", "/charges").items()}

    def _ask(self, verb: str, path: str, body: str = "", headers: dict[str, str] | None = None) -> dict[str, Any]:
        assert self._line is not None  # inside the `with`
        try:
            self._line.request(verb, path, body or None, headers or {})
            answer = self._line.getresponse()
            told = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise self._trouble(f"does not answer ({error!r})") from error
        if answer.status != 200:
            raise self._trouble(f"says {answer.status} ({told!r:.80})")
        found: dict[str, Any] = json.loads(told)
        return found

    def _trouble(self, what: str) -> ServiceError:
        """What went wrong, whether the process lives, and the last lines it wrote: its folder is gone after the run."""
        process = self._process
        assert process is not None  # inside the `with`
        state = "its process runs" if process.alive() else "its process has ended"
        said = process.tail() or "nothing"
        return ServiceError(
            f"The card company {what}; {state}. Its last log lines:\n{said}",
            "run the cell again; restart the kernel if the course's files have changed meanwhile",
        )


class Books:
    """What the company has charged. Any thread."""

    def __init__(self) -> None:
        self.charges: Counter[str] = Counter()
        self._keys: set[str] = set()
        self._lock = threading.Lock()

    def charge(self, order: str, key: str) -> None:
        with self._lock:
            if key and key in self._keys:
                return
            self._keys.add(key)
            self.charges[order] += 1


def _handler(books: Books) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._say(dict(books.charges) if self.path == "/charges" else {"status": "well"})

        def do_POST(self) -> None:
            told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            books.charge(str(told["order"]), self.headers.get("Idempotency-Key", ""))
            self._say({"charged": told["order"]})

        def _say(self, what: Any) -> None:
            body = json.dumps(what).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
            pass

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)  # the base class would ask the network for our name
        self.server_name, self.server_port = "127.0.0.1", int(self.server_address[1])


def main() -> None:
    """Serve until killed."""
    try:
        server = _Server(("127.0.0.1", int(sys.argv[1])), _handler(Books()))
    except OSError:
        sys.exit(PORT_TAKEN)
    server.serve_forever()


if __name__ == "__main__":
    main()
