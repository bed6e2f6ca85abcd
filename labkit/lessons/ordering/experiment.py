"""One run of lesson 08: publish the lives of many orders, read them as the setting says, and look at the order."""

import threading
import time
from collections.abc import Collection
from typing import Any

from labkit import lab
from labkit.base.errors import NotInTimeError
from labkit.events.trace import EFFECT, HANDLED, PUBLISHED, Trace
from labkit.harness.clearing import cleared
from labkit.harness.progress import Progress, go_on
from labkit.lessons.ordering import causes, load, order_causes
from labkit.lessons.ordering.kafka import OnKafka
from labkit.lessons.ordering.rabbitmq import OnRabbitMQ
from labkit.lessons.ordering.setting import Setting
from labkit.lessons.ordering.work import SERVICE, Run
from labkit.measure import anomalies, order
from labkit.measure.result import Measure, Result

_PATIENCE_S = 60


def run(
    broker: str = "kafka",
    key: str = "none",
    partitions: int = 4,
    consumers: int = 2,
    workers: int = 1,
    prefetch: int = 10,
    requeue: float = 0.0,
    load: str = "rush",
    seed: int = 1,
    progress: Progress | None = None,
    cancelled: threading.Event | None = None,
    **more: Any,
) -> Result:
    """Send the lives of 100 orders through one broker, and see in which order their events are handled.

    broker: "kafka" or "rabbitmq". key: what decides where an event goes: "order", "customer", "type" or "none".
    partitions: of the topic; on RabbitMQ, with a key, the number of queues behind a consistent hash (without: one).
    consumers: that share the work; each has so many workers. prefetch (RabbitMQ): how many
    events a consumer holds that it has not acknowledged.
    requeue: the part of events whose first try fails, 0 to 1. load: "rush", "gentle" or "long lives".
    more: sharing, retry, producers, wait_for_ack, linger_ms, queue, single_active, reader, orders (see `setting.py`).
    measures: orders, broken (orders), share (%), seconds (first publish to last handled), events_per_s, wrong_at_end
    (orders whose last state is not the last event's).
    Raises OrderingError for what cannot be set, BrokerError when the broker goes away, NotInTimeError.
    """
    setting = Setting(broker=broker, key=key, partitions=partitions, consumers=consumers, workers=workers,
                      prefetch=prefetch, requeue=requeue, load=load, seed=seed, **more)  # fmt: skip
    return play(setting, progress, cancelled)


def play(setting: Setting, progress: Progress | None = None, cancelled: threading.Event | None = None) -> Result:
    """`run`, with its setting already made."""
    plan = load.plan(setting.orders, setting.seed, setting.load, failing=setting.requeue)
    trace = Trace()
    course = Run(setting, plan, trace)
    side: OnKafka | OnRabbitMQ
    if setting.broker == "kafka":
        side = OnKafka(lab.kafka_config(), course)
    else:
        side = OnRabbitMQ(lab.rabbitmq_parameters(), course)
    publisher = threading.Thread(target=_guarded, args=(side, plan, course), daemon=True)
    with cleared(side.close):
        try:
            side.open()
            publisher.start()
            _wait(course, progress, cancelled)
        finally:
            course.done.set()
            if publisher.ident:
                publisher.join()
        course.check()
    course.check()  # what a thread said while it ended
    return result(setting, trace)


def _guarded(side: OnKafka | OnRabbitMQ, plan: list[load.Planned], course: Run) -> None:
    try:
        side.publish(plan)
    except BaseException as error:
        course.fail(error)


def _wait(course: Run, progress: Progress | None, cancelled: threading.Event | None) -> None:
    """Until all is handled, or something fails. Raises CancelledError, NotInTimeError."""
    end_s = time.monotonic() + _PATIENCE_S
    total = len(course.plan)
    while not course.done.wait(0.05):
        go_on(cancelled, progress, course.handled / total, f"{course.handled:,} of {total:,} events handled")
        if time.monotonic() > end_s:
            raise NotInTimeError(
                f"After {_PATIENCE_S} s {total - course.handled} of {total} events were still not handled.",
                "look at `python -m labkit status`; a busy machine may need fewer orders (orders=60)",
            )


def result(setting: Setting, trace: Trace) -> Result:
    """What the rows of a run say."""
    rows = trace.to_frame()
    lanes = order.lanes(rows, SERVICE)
    broken = [lane for lane in lanes if lane.broken]
    handled = rows[rows["what"] == HANDLED]
    took_s = float(handled["t_s"].max() - rows.loc[rows["what"] == PUBLISHED, "t_s"].min())
    measures = {
        "orders": Measure(len(lanes), "orders"),
        "broken": Measure(len(broken), "orders"),
        "share": Measure(100 * len(broken) / len(lanes), "%"),
        "seconds": Measure(took_s, "s"),
        "events_per_s": Measure(len(handled) / took_s, "events/s"),
    }
    provenance = {"broker": labels([setting.broker]), "setting": setting.stamp()}
    last = rows[rows["what"] == EFFECT].drop_duplicates("key", keep="last")
    measures["wrong_at_end"] = Measure(int((last["seq"] < len(load.LIFE)).sum()), "orders")
    found = anomalies.find(rows[rows["what"] != EFFECT], [SERVICE])
    return Result(_sentence(lanes, broken, rows), trace.deliveries(), measures, found, provenance, trace)


def _sentence(lanes: list[order.Lane], broken: list[order.Lane], rows: Any) -> str:
    if not broken:
        return f"Order held: all {len(lanes)} orders were handled in order."
    cause = order_causes.count(broken, rows).most_common(1)[0][0]
    worsts = [(lane.key, pair) for lane in broken if (pair := lane.worst())]
    name, worst = max(worsts, key=lambda found: found[1].gap_s)
    return (
        f"{len(broken)} of {len(lanes)} orders were handled out of order; order {name} was {worst.sentence()}. "
        f"Cause: {order_causes.WHY[cause]}. Cure: {causes.cure(cause)}."
    )


def labels(brokers: Collection[str]) -> str:
    """`Kafka 4.4.0 · native and RabbitMQ 4.0.5 · native`, of these brokers."""
    return " and ".join(one.label for one in lab.running() if one.broker in brokers)
