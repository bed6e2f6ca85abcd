"""Where dead letters go: to a place beside the one that they come from, named alike on both brokers."""

DEAD_SUFFIX = ".dead"


def dead_name(name: str) -> str:
    """`orders` -> `orders.dead`, for what cannot be handled of the topic or queue `orders`."""
    return name + DEAD_SUFFIX
