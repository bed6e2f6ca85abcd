"""The consumer of `kill` in a process of its own: where the seed says it stops and waits for its `kill -9`."""

from pathlib import Path
from typing import Any

from labkit.chaos.parent import Parent
from labkit.events.trace import TraceFile
from labkit.lessons.idempotency.crashes import SERVICE, CrashPlan
from labkit.lessons.idempotency.ledger import Ledger
from labkit.lessons.idempotency.reading import Reader
from labkit.lessons.idempotency.real_steps import RealSteps
from labkit.lessons.idempotency.steps import STRATEGIES, UPSERT
from labkit.lessons.idempotency.work import Work

CRASHED = "crashed"  # a row of the trace: here this process died; its note is the point


def live(parent: Parent, order: dict[str, Any]) -> None:
    """One life. It sends [payment, point, payments acknowledged] when it is to be killed, and None when all is done."""
    trace = TraceFile(Path(order["trace"]), SERVICE)

    def die(key: str, point: str) -> None:
        trace.add(CRASHED, key, broker=order["broker"], note=point)
        parent.send([key, point, work.acked])
        parent.receive()  # nothing comes but the kill

    way = STRATEGIES[order["strategy"]]
    ledger = Ledger(order["ledger"], by_order=way.effect == UPSERT)
    steps = RealSteps(ledger, way.effect, trace, order["broker"])
    work = Work(way, order["payments"], steps, CrashPlan(order["plan"], die), acked=order["acked"])
    reader = _reader(order, trace, way.automatic)
    if work.acked < order["payments"]:
        work.live(reader)
    reader.close()
    parent.send(None)


def _reader(order: dict[str, Any], trace: TraceFile, automatic: bool) -> Reader:
    """Loads the client of this broker alone: every life waits for it."""
    if order["broker"] == "kafka":
        from labkit.lessons.idempotency import kafka

        auto = {"enable_auto_commit": True, "auto_commit_interval_ms": order["interval_ms"]} if automatic else {}
        return kafka.Reader(order["config"], order["name"], trace, joins=True, **auto)
    import pika

    from labkit.lessons.idempotency import rabbitmq

    return rabbitmq.Reader(pika.URLParameters(order["url"]), order["name"], trace, automatic=automatic)
