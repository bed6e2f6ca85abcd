"""Runs one service of the shop as a process: `python -m labkit.shop.serve inventory --config inventory.json`."""

import argparse
import asyncio
import errno
import logging
import socket
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import uvicorn
from starlette.applications import Starlette

from labkit.base.errors import LabError
from labkit.chaos.faults import FaultPlan, Faults
from labkit.chaos.processes import PORT_TAKEN
from labkit.events.trace import TraceFile, now_ns
from labkit.shop import http_adapter
from labkit.shop.config import KNOWN, Config
from labkit.shop.work import Handler, Work

if TYPE_CHECKING:
    from labkit.shop import publish

_KEEP_ALIVE_S = 60  # longer than any pause of an experiment, so that no call meets a connection that has just closed


class PortError(LabError):
    """Somebody else listens on the port."""

    exit_code = PORT_TAKEN


class Adapter(Protocol):
    @property
    def ready(self) -> bool: ...

    def open(self) -> None: ...

    def close(self) -> None: ...


def main(argv: list[str] | None = None) -> int:
    """Serve until the process is ended. Returns an exit code; what went wrong is on standard error."""
    parser = argparse.ArgumentParser(prog="python -m labkit.shop.serve", description=__doc__)
    parser.add_argument("service", choices=KNOWN)
    parser.add_argument("--config", type=Path, required=True, help="the service's file")
    args = parser.parse_args(argv)
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.WARNING)
    logging.getLogger("pika").setLevel(logging.CRITICAL)  # it needs many lines for what our own say in one
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    try:
        config = Config.read(args.config)
        if config.service != args.service:
            raise LabError(f"{args.config} is the file of {config.service}, not of {args.service}.", "give its own")
        asyncio.run(_serve(config))
    except LabError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


async def _serve(config: Config) -> None:
    sock = listen(config.port)  # first of all: when the port is taken, nothing else shall begin
    rows = TraceFile(config.trace, config.service)
    page, adapters = await _build(config, rows)
    for adapter in adapters:
        adapter.open()
    server = uvicorn.Server(
        uvicorn.Config(
            page, log_level="warning", access_log=False, lifespan="off", timeout_keep_alive=_KEEP_ALIVE_S, ws="none"
        )
    )
    try:
        await server.serve(sockets=[sock])
    finally:
        for adapter in adapters:
            adapter.close()
        rows.close()


async def _build(config: Config, rows: TraceFile) -> tuple[Starlette, list[Adapter]]:
    if config.service == "checkout":
        return _checkout(config, rows)
    if config.service == "storefront":
        return _storefront(config, rows)
    if config.service == "mailbox":
        from labkit.shop import mailbox

        await mailbox.serve(listen(config.smtp_port), Path(config.folder) / "mails.jsonl")
        return http_adapter.app(None, lambda: True), []
    threads = 8 if config.service == "notification" else 1  # mail waits for the mail server; a store takes only one
    work = Work(
        _handler(config), rows, Faults(config.service, FaultPlan.from_json(config.plan)), config.workers, threads
    )
    adapters = _reading(config, work)
    return http_adapter.app(work, _all_ready(adapters)), adapters


def _checkout(config: Config, rows: TraceFile) -> tuple[Starlette, list[Adapter]]:
    from labkit.shop import checkout_page
    from labkit.shop.checkout import Checkout

    publishers = _publishers(config)
    checkout = Checkout(checkout_page.Caller(config.services).call, publishers, rows, config.timeout_ms / 1000)
    adapters: list[Adapter] = list(publishers.values())
    return http_adapter.app(None, _all_ready(adapters), [checkout_page.route(checkout, rows)]), adapters


def _storefront(config: Config, rows: TraceFile) -> tuple[Starlette, list[Adapter]]:
    from labkit.shop import storefront

    publishers = _publishers(config)
    store = storefront.Storefront(publishers, rows, config.rate)
    adapters: list[Adapter] = list(publishers.values())
    return http_adapter.app(None, _all_ready(adapters), [storefront.route(store)]), [*adapters, store]


def _publishers(config: Config) -> "dict[str, publish.KafkaPublisher | publish.RabbitMQPublisher]":
    from labkit.shop import publish

    publishers: dict[str, publish.KafkaPublisher | publish.RabbitMQPublisher] = {}
    if config.kafka:
        publishers["kafka"] = publish.KafkaPublisher(config)
    if config.rabbitmq:
        publishers["rabbitmq"] = publish.RabbitMQPublisher(config)
    return publishers


def _handler(config: Config) -> Handler:
    if config.service == "notification":
        from labkit.shop.notification import Notification, Postman

        return Notification(Postman(config.smtp_port).send)
    from labkit.shop import analytics, fraud, inventory, store

    with_store: dict[str, Callable[[sqlite3.Connection, store.Clock], Handler]] = {
        "inventory": inventory.Inventory,
        "analytics": analytics.Analytics,
        "fraud": fraud.Fraud,
    }
    return with_store[config.service](store.connect(config.store), now_ns)


def _reading(config: Config, work: Work) -> list[Adapter]:
    """The adapters towards the brokers. A client is loaded only where its broker is there."""
    adapters: list[Adapter] = []
    if config.kafka:
        from labkit.shop.kafka_adapter import KafkaAdapter

        adapters.append(KafkaAdapter(config, work))
    if config.rabbitmq:
        from labkit.shop.rabbitmq_adapter import RabbitMQAdapter

        adapters.append(RabbitMQAdapter(config, work))
    return adapters


def _all_ready(adapters: list[Adapter]) -> Callable[[], bool]:
    return lambda: all(adapter.ready for adapter in adapters)


def listen(port: int) -> socket.socket:
    """A listening socket on 127.0.0.1. Raises PortError when another program has the port."""
    # TCP is named, because asyncio switches Nagle's algorithm off only where it is; else each answer waits 40 ms.
    sock = socket.socket(proto=socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a restart takes the port of the process before it
    try:
        sock.bind(("127.0.0.1", port))
        sock.listen(2048)
    except OSError as error:
        sock.close()
        if error.errno != errno.EADDRINUSE:
            raise
        raise PortError(f"Port {port} is taken by another program.", "give another port, or end it") from error
    return sock


if __name__ == "__main__":
    sys.exit(main())
