"""What would cure an order that broke: the setting to turn."""

from labkit.lessons.ordering import order_causes as why

_CURES = {
    why.PARTITIONS: 'key="order"',
    why.QUEUES: 'key="order"',
    why.COPIES: 'key="order" (queues behind a hash), single_active=True, or one consumer',
    why.WORKERS: 'dispatch="by key"',
    why.RETRIED: 'retry="in place", or retry="parked": what is behind waits too',
    why.WRITTEN: "wait_for_ack=True: the next event leaves when the one before it is confirmed",
}


def cure(cause: str) -> str:
    """The setting that mends this cause."""
    return _CURES[cause]
