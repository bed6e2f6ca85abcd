"""A consumer in a process of its own, which kills itself with `kill -9` where the seed says.

`python -m labkit.lessons.idempotency.victim` reads its order as one line of JSON from standard input, takes payments,
and ends with exit code 0 when all are done. It ends by itself with its parent.
"""

import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from labkit.events.trace import TraceFile
from labkit.lessons.idempotency.crashes import SERVICE, Strikes
from labkit.lessons.idempotency.hands import RealHands
from labkit.lessons.idempotency.ledger import Ledger
from labkit.lessons.idempotency.reading import KafkaReader, RabbitMQReader
from labkit.lessons.idempotency.steps import STRATEGIES, UPSERT
from labkit.lessons.idempotency.work import Work

CRASHED = "crashed"  # a row of the trace: here this process died; its note is the point


def main() -> None:
    order: dict[str, Any] = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    trace = TraceFile(Path(order["trace"]), SERVICE)

    def die(key: str, point: str) -> None:
        trace.add(CRASHED, key, broker=order["broker"], note=point)
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))  # Windows knows no SIGKILL

    way = STRATEGIES[order["strategy"]]
    books = Ledger(order["ledger"], by_order=way.effect == UPSERT)
    hands = RealHands(books, way.effect, trace, order["broker"])
    work = Work(way, order["payments"], hands, Strikes(order["plan"], die), acked=order["acked"])
    reader = _reader(order, trace, way.automatic)
    if work.acked < order["payments"]:
        work.live(reader)
    reader.close()


def _reader(order: dict[str, Any], trace: TraceFile, automatic: bool) -> KafkaReader | RabbitMQReader:
    if order["broker"] == "kafka":
        auto = {"enable_auto_commit": True, "auto_commit_interval_ms": order["interval_ms"]} if automatic else {}
        return KafkaReader(order["config"], order["name"], f"{order['name']}.group", trace, joins=True, **auto)
    import pika

    return RabbitMQReader(pika.URLParameters(order["url"]), order["name"], trace, 20, automatic)


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    main()
