"""Lesson 02: one row per order and subscriber: when it was published, when it was done, and what it led to."""

import json
import sqlite3
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Any, NamedTuple

import pandas as pd

from labkit.base.settings import course_root
from labkit.brokers import kafka, rabbitmq
from labkit.events import trace as words
from labkit.events.trace import Trace
from labkit.harness.shop import Shop
from labkit.shop import mailbox
from labkit.shop.config import queue_name

BROKERS = ("kafka", "rabbitmq")
PUBLISHER_CODE = ("shop/storefront.py", "shop/publish.py")
_SHOWN = ("service", "topic", "rate", "services")  # of its settings; no secret among them
SEEN = "seen"  # a row of the trace: somebody has looked at the publisher; `note` says what was seen, as JSON

_DID: dict[str, tuple[str, Callable[..., str]]] = {
    "inventory": ("SELECT order_id, via, pieces FROM reservations", lambda pieces: f"{pieces} pieces reserved"),
    "analytics": ("SELECT order_id, via, total_cents FROM sales", lambda cents: f"a sale of {cents / 100:.2f}"),
    "fraud": ("SELECT order_id, via, verdict FROM checks", str),
}


class Place(NamedTuple):
    """Where a row belongs."""

    broker: str
    order: str
    who: str


def deliveries(shop: Shop, who: Iterable[str], begin_ns: int) -> pd.DataFrame:
    """One row per order and subscriber, in the order in which they were published.

    broker, order, who; published_s, handled_s: seconds from `begin_ns`, handled_s is empty when it never was;
    wait_ms: from published to handled; effects: how often the order is in the subscriber's own store; did: what it
    did, in words; dead: True when it was given up, and put with the dead letters.
    """
    found = shop.trace().rows()
    handled = {_place(row): row.t_ns for row in reversed(found) if row.what == words.HANDLED}
    dead = {_place(row) for row in found if row.what == words.DEAD}
    done = effects(shop)
    rows = []
    for row in found:
        if row.what != words.PUBLISHED:
            continue
        for name in who:
            place = Place(row.broker, row.key, name)
            at, did = handled.get(place), done.get(place, [])
            rows.append(
                {
                    **place._asdict(),
                    "published_s": (row.t_ns - begin_ns) / 1e9,
                    "handled_s": (at - begin_ns) / 1e9 if at else float("nan"),
                    "wait_ms": (at - row.t_ns) / 1e6 if at else float("nan"),
                    "effects": len(did),
                    "did": did[0] if did else "",
                    "dead": place in dead,
                }
            )
    return pd.DataFrame(rows)


def effects(shop: Shop) -> dict[Place, list[str]]:
    """What the subscribers did, from their own stores: for each order a line for each time."""
    found: dict[Place, list[str]] = {}
    for mail in mailbox.read(shop.mails):
        found.setdefault(Place(mail.via, mail.order, "notification"), []).append(f"to {mail.to}: {mail.text.strip()}")
    for service, (query, say) in _DID.items():
        if not (path := shop.folder / f"{service}.db").exists():
            continue
        store = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            for order, via, did in store.execute(query):
                found.setdefault(Place(via, order, service), []).append(say(did))
        finally:
            store.close()
    return found


def count_dead_letters(shop: Shop, service: str) -> dict[str, int]:
    """Broker -> how many different events of this service are among the dead letters there, as the broker says."""
    mine, found = queue_name(shop.topic, service), dict.fromkeys(BROKERS, 0)
    if "kafka" in shop.brokers:
        on_kafka = kafka.dead_letters.read(shop.brokers.kafka_config(), shop.topic)
        found["kafka"] = len({letter.raw for letter in on_kafka if letter.group == mine})
    if "rabbitmq" in shop.brokers:
        on_rabbitmq = rabbitmq.dead_letters.read(shop.brokers.rabbitmq_parameters(), shop.topic)
        found["rabbitmq"] = len({letter.raw for letter in on_rabbitmq if letter.queue == mine})
    return found


def published(trace: Trace) -> dict[str, list[str]]:
    """Broker -> the orders that it has confirmed."""
    found: dict[str, list[str]] = {broker: [] for broker in BROKERS}
    for row in trace.rows():
        if row.what == words.CONFIRMED:
            found[row.broker].append(row.key)
    return found


def ended(trace: Trace) -> set[Place]:
    """What is over and done with: handled, or with the dead letters."""
    return {_place(row) for row in trace.rows() if row.what in (words.HANDLED, words.DEAD)}


def look_at_publisher(shop: Shop, when: str) -> dict[str, object]:
    """Who publishes: the process, a hash of its code, a hash of its settings; and who reads at this moment."""
    code = b"".join((course_root() / "labkit" / name).read_bytes() for name in PUBLISHER_CODE)
    told = (shop.folder / "storefront.json").read_bytes()
    return {
        "when": when,
        "pid": shop.processes["storefront"].pid,
        "source": _short(code),
        "settings": _short(told),
        "shown": {name: json.loads(told)[name] for name in _SHOWN},
        "subscribers": ", ".join(name for name in shop.processes if name not in ("storefront", "mailbox")),
    }


def publisher(trace: Trace) -> pd.DataFrame:
    """Each look at the publisher of a run: when, pid, source, settings (the beginning of a SHA-256), subscribers."""
    return pd.DataFrame(_looks(trace)).set_index("when").drop(columns="shown")


def publisher_settings(trace: Trace) -> dict[str, object]:
    """What the publisher of a run is told at its start, without the brokers' addresses and passwords."""
    return dict(_looks(trace)[-1]["shown"])


def _looks(trace: Trace) -> list[dict[str, Any]]:
    return [json.loads(row.note) for row in trace.rows() if row.what == SEEN]


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """One line per broker and subscriber: orders published, handled, dead; the slowest wait in ms."""
    groups = rows.groupby(["broker", "who"], sort=False)
    return groups.agg(
        published=("order", "count"),
        handled=("handled_s", "count"),
        effects=("effects", "sum"),
        dead=("dead", "sum"),
        slowest_ms=("wait_ms", "max"),
    )


def _place(row: words.Row) -> Place:
    return Place(row.broker, row.key, row.who)


def _short(content: bytes) -> str:
    return sha256(content).hexdigest()[:10]
