"""Lesson 01: one row per checkout: what the customer got, and what the shop really did. And what is read from that."""

import sqlite3
from collections.abc import Sequence

import pandas as pd

from labkit.events import trace as words
from labkit.events.trace import Trace
from labkit.harness.shop import Shop
from labkit.measure import latency
from labkit.measure.load import Answer
from labkit.measure.result import Measure
from labkit.shop import mailbox

EVENTS = ("kafka", "rabbitmq")
DESIGNS = ("http", "retries", *EVENTS)
NAMES = {  # as the pictures call them
    "http": "HTTP chain",
    "retries": "HTTP with retries",
    "defended": "HTTP with breaker",
    "kafka": "event, Kafka",
    "rabbitmq": "event, RabbitMQ",
}
_EFFECT_OF = ("inventory", "notification", "analytics")  # whose the columns reservations, mails and sales are
COLUMNS = (
    "design", "order", "due_s", "sent_s", "answered_s", "latency_ms", "ok", "status", "note",
    "published_s", "confirmed_s", "reserved_s", "lag_s", "reservations", "mails", "sales", "dead",
)  # fmt: skip


def checkouts(shop: Shop, answers: Sequence[Answer], begin_ns: int) -> pd.DataFrame:
    """One row per checkout, in the order in which they were due. Call it when the shop has settled.

    design, order; due_s, sent_s, answered_s: seconds from `begin_ns`; latency_ms: from due to answered;
    ok, status, note: the answer (status 0: none came); published_s, confirmed_s: events only;
    reserved_s: the first reservation; lag_s: from the answer to it, less than 0 when the stock was first;
    reservations, mails, sales: how many times the order was reserved, thanked for, and counted as sold;
    dead: how many services gave it up, and put it with the dead letters.
    """
    rows = pd.DataFrame(answers)
    table = pd.DataFrame({"design": rows["design"], "order": rows["key"]})
    for name in ("due", "sent", "answered"):
        table[f"{name}_s"] = (rows[f"{name}_ns"] - begin_ns) / 1e9
    table["latency_ms"] = (rows["answered_ns"] - rows["due_ns"]) / 1e6
    table["ok"] = rows["status"] == 200
    table["status"], table["note"] = rows["status"], rows["note"]
    table = table.set_index("order", drop=False)
    trace = shop.trace()
    for name, moments in _published(trace).items():
        table[name] = (moments.reindex(table.index) - begin_ns) / 1e9
    effects = _effects(shop)
    table["reserved_s"] = (effects["reservations"]["min"].reindex(table.index) - begin_ns) / 1e9
    table["lag_s"] = table["reserved_s"] - table["answered_s"]
    for name, found in effects.items():
        table[name] = found["count"].reindex(table.index).fillna(0).astype(int)
    buried = pd.Series([key for key, _ in _dead(trace)], dtype=object).value_counts()
    table["dead"] = buried.reindex(table.index).fillna(0).astype(int)
    return table[list(COLUMNS)].reset_index(drop=True)


def _published(trace: Trace) -> dict[str, pd.Series]:
    """Order -> time in ns, of publish and of confirm."""
    found: dict[str, dict[str, int]] = {"published_s": {}, "confirmed_s": {}}
    for row in trace.rows():
        if row.what in (words.PUBLISHED, words.CONFIRMED):
            found[f"{row.what}_s"].setdefault(row.key, row.t_ns)
    return {name: pd.Series(moments, dtype=float) for name, moments in found.items()}


def _dead(trace: Trace) -> set[tuple[str, str]]:
    """(order, service) for each dead letter."""
    return {(row.key, row.who) for row in trace.rows() if row.what == words.DEAD}


def _effects(shop: Shop) -> dict[str, pd.DataFrame]:
    """What the services did, from their own stores: for each order how often (count), and when first (min, in ns)."""
    mails = pd.DataFrame([(m.order, m.at_ns) for m in mailbox.read(shop.mails)], columns=["order_id", "at_ns"])
    tables = {
        "reservations": _read(shop, "inventory", "reservations"),
        "mails": mails,
        "sales": _read(shop, "analytics", "sales"),
    }
    return {name: found.groupby("order_id")["at_ns"].agg(["count", "min"]) for name, found in tables.items()}


def _read(shop: Shop, service: str, table: str) -> pd.DataFrame:
    store = sqlite3.connect(f"file:{shop.folder / service}.db?mode=ro", uri=True)
    try:
        return pd.read_sql_query(f"SELECT order_id, at_ns FROM {table}", store)
    finally:
        store.close()


def settle(shop: Shop, answers: Sequence[Answer], within_s: float = 30) -> None:
    """Wait until nothing is in work, and every order that was taken as an event is handled by all services, or dead.

    Raises NotInTimeError with the services' last log lines; ServiceError when a service has died.
    """
    taken = {answer.key for answer in answers if answer.ok and answer.design in EVENTS}

    def settled() -> bool:
        if not shop.idle():
            return False
        missing = {
            (order, service)
            for service, found in zip(_EFFECT_OF, _effects(shop).values(), strict=True)
            for order in taken - set(found.index)
        }
        return not missing or missing <= _dead(shop.trace())

    shop.until(settled, within_s, "every order that was taken is handled by all services")


def backlog(deliveries: pd.DataFrame, design: str) -> pd.DataFrame:
    """How many events of `design` were waiting for inventory: columns t_s and waiting, one row at every change."""
    mine = deliveries[deliveries["design"] == design]
    came, went = mine["published_s"].dropna(), mine.loc[mine["published_s"].notna(), "reserved_s"].dropna()
    steps = pd.concat([pd.Series(1, index=came), pd.Series(-1, index=went)]).sort_index(kind="stable")
    return pd.DataFrame({"t_s": steps.index, "waiting": steps.cumsum().to_numpy()})


def summary(deliveries: pd.DataFrame, by: str | None = None) -> pd.DataFrame:
    """One line per design, and per value of the column `by`: n, taken, p50_ms, slowest_ms, reservations, orders
    reserved, failed although reserved, lag_p50_ms from answer to reservation (of orders that were taken)."""
    lines = []
    keys = ["design"] if by is None else [by, "design"]
    for key, some in deliveries.groupby(keys, sort=False):
        times = latency.percentiles(some["latency_ms"])
        lag_ms = some.loc[some["ok"], "lag_s"].dropna() * 1000
        lines.append(
            dict(zip(keys, key if isinstance(key, tuple) else (key,), strict=True))
            | {
                "n": len(some),
                "taken": int(some["ok"].sum()),
                "p50_ms": round(times["p50"].value, 1),
                "slowest_ms": round(times["max"].value, 1),
                "reservations": int(some["reservations"].sum()),
                "orders_reserved": int((some["reservations"] > 0).sum()),
                "failed_but_reserved": int((~some["ok"] & (some["reservations"] > 0)).sum()),
                "lag_p50_ms": round(float(lag_ms.median()), 1) if len(lag_ms) else float("nan"),
            }
        )
    return pd.DataFrame(lines)


def per_design(deliveries: pd.DataFrame) -> dict[str, Measure]:
    """The numbers of `summary` as measures: `http_p50`, `retries_taken`, …"""
    units = {"taken": "orders", "reservations": "reservations", "orders_reserved": "orders"}
    measures: dict[str, Measure] = {}
    for line in summary(deliveries).to_dict("records"):
        for name, value in line.items():
            if name not in ("design", "n") and value == value:  # not nan
                unit = "ms" if str(name).endswith("_ms") else units.get(str(name), "orders")
                measures[f"{line['design']}_{str(name).removesuffix('_ms')}"] = Measure(float(value), unit)
    return measures


def lateness_ms(deliveries: pd.DataFrame) -> Measure:
    """How late the load itself was at its worst hundredth: the part of every latency that is not the shop's."""
    late = (deliveries["sent_s"] - deliveries["due_s"]) * 1000
    return latency.percentiles(late)["p99"]
