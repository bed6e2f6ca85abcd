"""Rows of a run of one or a few orders, small enough to be read. For the tests of the scene and the stage."""

from labkit.events.rows import Row

MS = 1_000_000


def kafka(ms: float, what: str, who: str, seq: int = 1, at: int = -1, event: str = "", key: str = "order-3") -> Row:
    channel = "orders/2" if at >= 0 else "orders"
    note = ("OrderPlaced", "PaymentTaken")[seq - 1] if what in ("published", "received") else ""
    return Row(int(ms * MS), what, key, seq, event or f"e{seq}", channel, at, who, "kafka", note)


def rabbit(ms: float, what: str, who: str, seq: int = 1, queue: str = "packing", key: str = "order-3") -> Row:
    channel = queue if who != "shop" else "orders/placed"
    note = ("OrderPlaced", "PaymentTaken")[seq - 1] if what in ("published", "received") else ""
    return Row(int(ms * MS), what, key, seq, f"e{seq}", channel, -1, who, "rabbitmq", note)


FIVE = [
    kafka(10, "published", "shop"),
    kafka(14, "confirmed", "shop", at=7),
    kafka(16, "received", "packing#1", at=7),
    kafka(21, "handled", "packing#1", at=7),
    kafka(25, "acked", "packing#1", at=7),
]
