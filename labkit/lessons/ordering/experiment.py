"""One run of lesson 08: publish the lives of many orders, read them as the setting says, and look at the order."""

from typing import Any

from labkit import lab
from labkit.events.trace import EFFECT, HANDLED, PUBLISHED, Trace
from labkit.harness.settings import takes
from labkit.lessons.ordering import kafka, load, order_causes, rabbitmq
from labkit.lessons.ordering.setting import Setting
from labkit.lessons.ordering.work import SERVICE, Run
from labkit.measure import anomalies, order
from labkit.measure.result import Measure, Result

_TIMEOUT_S = 60


@takes(Setting)
def run(setting: Setting) -> Result:
    """Send the lives of 100 orders through one broker, and see in which order their events are handled.

    broker: "kafka" or "rabbitmq". key: what decides where an event goes: "order", "customer", "type" or "none".
    partitions: of the topic; on RabbitMQ, with a key, the number of queues behind a consistent hash (without: one).
    consumers: that share the work; each has so many workers. prefetch (RabbitMQ): how many
    events a consumer holds that it has not acknowledged.
    first_try_fails: the part of events that fail on the first attempt, 0 to 1. load: "rush", "gentle" or "long lives".
    More: dispatch, retry, producers, wait_for_ack, linger_ms, queue, single_active, reader, orders (see `setting.py`).
    measures: orders, out_of_order (orders), share (%), seconds (first publish to last handled), events_per_s,
    final_state_wrong (orders whose last state is not the last event's).
    Raises SettingError for what cannot be set, BrokerError when the broker goes away, NotInTimeError.
    """
    return run_with(setting)


def run_with(setting: Setting) -> Result:
    """`run`, with its setting already made."""
    plan = load.plan(setting.orders, setting.seed, setting.load, setting.first_try_fails)
    state = Run(setting, plan)
    backend = kafka.backend if setting.broker == "kafka" else rabbitmq.backend
    with backend(lab.brokers(setting.broker), state) as publish_all:
        publish_all(plan)
        state.tasks.wait(state.finished, _TIMEOUT_S, "every event is handled")
    return result(setting, state.trace)


def result(setting: Setting, trace: Trace) -> Result:
    """What the rows of a run say."""
    rows = trace.to_frame()
    lanes = order.lanes(rows, SERVICE)
    broken = [lane for lane in lanes if lane.out_of_order]
    handled = rows[rows["what"] == HANDLED]
    took_s = float(handled["t_s"].max() - rows.loc[rows["what"] == PUBLISHED, "t_s"].min())
    measures = {
        "orders": Measure(len(lanes), "orders"),
        "out_of_order": Measure(len(broken), "orders"),
        "share": Measure(100 * len(broken) / len(lanes), "%"),
        "seconds": Measure(took_s, "s"),
        "events_per_s": Measure(len(handled) / took_s, "events/s"),
    }
    provenance = {"broker": lab.brokers(setting.broker).stamp, "settings": setting.stamp()}
    last = rows[rows["what"] == EFFECT].drop_duplicates("key", keep="last")
    measures["final_state_wrong"] = Measure(int((last["seq"] < len(load.LIFE)).sum()), "orders")
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
        f"Cause: {order_causes.WHY[cause]}. Cure: {order_causes.CURE[cause]}."
    )
