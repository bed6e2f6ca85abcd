"""Names that are fresh for every run, so that no run meets the leftovers of another."""

import secrets
import time


def fresh(prefix: str) -> str:
    """`prefix` plus a part that no other run has: `orders-k3f9-2b7c1e`.

    The middle part grows with time (base 36, seconds), so that names sort by age in a broker's listing.
    Good for Kafka topics and groups and for RabbitMQ queues: letters, digits and dashes only.
    """
    return f"{prefix}-{_base36(int(time.time()))[-4:]}-{secrets.token_hex(3)}"


def _base36(n: int) -> str:
    digits = ""
    while n:
        n, rest = divmod(n, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[rest] + digits
    return digits or "0"
