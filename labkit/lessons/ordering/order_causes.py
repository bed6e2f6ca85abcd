"""Why orders were handled out of order, as far as the rows of the trace tell, and the setting that would cure it."""

from collections import Counter
from collections.abc import Sequence

import pandas as pd

from labkit.events.rows import CONFIRMED, FAILED
from labkit.measure.order import Inversion, Lane

PARTITIONS, QUEUES, COPIES, WORKERS, RETRIED, WRITTEN = (
    "partitions", "queues", "copies", "workers", "retried", "written",
)  # fmt: skip
WHY = {
    PARTITIONS: "an order is spread over several partitions, and each is read by itself",
    QUEUES: "an order is spread over several queues, and each is read by itself",
    COPIES: "several consumers share a queue: while one is busy, the other overtakes",
    WORKERS: "several workers share a consumer: while one is busy, the other overtakes",
    RETRIED: "what failed came again later, and the events behind it did not wait",
    WRITTEN: "two producers wrote one order: it is in the log the wrong way round",
}
CURE = {
    PARTITIONS: 'key="order"',
    QUEUES: 'key="order"',
    COPIES: 'key="order" (queues behind a hash), single_active=True, or one consumer',
    WORKERS: 'dispatch="by key"',
    RETRIED: 'retry="in place", or retry="parked": what is behind waits too',
    WRITTEN: "wait_for_ack=True: the next event leaves when the one before it is confirmed",
}


def count(lanes: Sequence[Lane], rows: pd.DataFrame) -> Counter[str]:
    """The causes of the lanes that are out of order (of the widest inversion of each), counted. The words above.

    rows: the trace that the lanes are from, as `Trace.to_frame()` gives it.
    """
    failed = set(rows.loc[rows["what"] == FAILED, "event_id"])
    confirmed = rows[rows["what"] == CONFIRMED].drop_duplicates("event_id")
    place = dict(zip(confirmed["event_id"], confirmed["position"], strict=True))
    worst = [pair for lane in lanes if (pair := lane.worst()) is not None]
    return Counter(_cause(pair, failed, place) for pair in worst)


def _cause(pair: Inversion, failed: set[str], place: dict[str, int]) -> str:
    ahead, late = pair.ahead, pair.late
    if late.event_id in failed:
        return RETRIED
    if ahead.channel != late.channel:
        return PARTITIONS if "/" in late.channel else QUEUES
    if -1 < place.get(ahead.event_id, -1) < place.get(late.event_id, -1):
        return WRITTEN
    if ahead.who.partition(".")[0] != late.who.partition(".")[0]:
        return COPIES
    return WORKERS
