"""Lesson 02: orders flow from one publisher, and others react. One joins, one is slow, one raises: who notices?

The lesson's other experiments: `latecomers`, `commands`. `table` counts.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

import pandas as pd

from labkit import lab
from labkit.base.checkpoint import checkpoint
from labkit.chaos.faults import Fault, FaultPlan
from labkit.events.trace import now_ns
from labkit.harness.kinds import BrokerOrBoth, Number, OneOf
from labkit.harness.settings import experiment
from labkit.harness.shop import Shop
from labkit.lessons.publish_and_subscribe import table
from labkit.measure import anomalies
from labkit.measure.result import Measure, Result
from labkit.provision.model import NAMES
from labkit.shop.config import REACTING, SUBSCRIBERS

NOBODY = "nobody"
Who = Annotated[str, OneOf((NOBODY, *REACTING))]
_LONG = 10_000  # orders; more than flow while a service starts
RAISES = FaultPlan(before_handle=Fault(refuse=1))


@experiment
def run(
    slow: Who = NOBODY,
    delay_ms: Annotated[float, Number(0, 10_000, control=(0, 500, 50))] = 200.0,
    raises: Who = NOBODY,
    fraud_joins: Annotated[float, Number(0, 600, control=(0.0, 2.0, 0.5))] = 1.5,
    broker: BrokerOrBoth = "both",
    rate: Annotated[float, Number(1, 200, control=False)] = 20.0,
    seconds: Annotated[float, Number(0.1, 600, control=False)] = 4.0,
) -> Result:
    """One publisher, `rate` orders a second on each broker; inventory, notification and analytics react.

    slow: this subscriber takes `delay_ms` for an order, one at a time, in the third quarter of `seconds`. raises:
    this one raises whatever it is handed. fraud_joins: fraud is started after so many seconds of orders, 0 for never.
    Orders flow until fraud has been there for a quarter of `seconds`, or longer.
    Takes about seconds + 4. deliveries: one row per order and subscriber (`table.deliveries`).
    measures: moments in seconds, and per subscriber and broker. Raises SettingError, NotInTimeError when the brokers
    do not come to an end.

    Built in: notebooks/02_publish_and_subscribe.ipynb, with one subscriber.
    """
    checkpoint(0, "the shop opens …")
    services = ("storefront", *REACTING, "mailbox")
    with Shop(lab.brokers(broker), services=services, rate=rate) as shop:
        flow = Flow(shop, rate, seconds)
        if raises != NOBODY:
            shop.faults(raises, RAISES)
        flow.begin()
        if fraud_joins:
            flow.fraud_joins(fraud_joins)
        if slow != NOBODY:
            flow.slow_down(slow, delay_ms, RAISES if slow == raises else FaultPlan())
        flow.end()
        trace = shop.trace()
        for seen in flow.seen:
            trace.add(table.SEEN, who="storefront", note=json.dumps(seen), t_ns=flow.begin_ns)
        who = [name for name in SUBSCRIBERS if name in shop.processes]
        rows = table.deliveries(shop, who, flow.begin_ns)
        n = rows.groupby("broker")["order"].nunique().max()
        letters = flow.dead_letters(raises, rows) if raises != NOBODY else {}
        about = shop.provenance(f"{n} orders per broker, {rate:g}/s each, from one process")
    numbers = {**flow.moments, **count(rows), **letters}
    return Result(summarize(rows, raises), rows, numbers, anomalies.find(trace.to_frame()), about, trace)


class Flow:
    """Orders flow through an open shop, and meanwhile things happen. Moments are in seconds from the first order."""

    def __init__(self, shop: Shop, rate: float, seconds: float) -> None:
        self.shop, self.rate, self.seconds = shop, rate, seconds
        self.moments: dict[str, Measure] = {}
        self.seen: list[dict[str, object]] = []
        self.begin_ns = 0
        self._upto = 0

    def begin(self) -> None:
        self.begin_ns = now_ns()
        self._more(self.seconds)
        self.until(self.rate * self.seconds / 8, "orders flow …")
        self.look("three subscribers")

    def look(self, when: str) -> None:
        """Take down who publishes."""
        self.seen.append(table.look_at_publisher(self.shop, when))

    def fraud_joins(self, after_s: float) -> None:
        """Start one more subscriber. Nobody tells the publisher."""
        self.until(self.rate * after_s, "orders flow …")
        self._mark("fraud_starts")
        self._words("fraud starts …")
        planned = self._upto
        self._flow(planned + _LONG)  # on a slow machine too, orders flow while it starts
        self.shop.join("fraud")
        self._mark("fraud_ready")
        self._flow(max(planned, self.published() + round(self.rate * self.seconds / 4)))
        self.until(self.published() + 1, "orders flow …")
        news = {broker: orders[-1] for broker, orders in table.published(self.shop.trace()).items() if orders}
        self.shop.until(lambda: self._ended(news, "fraud"), 60, "fraud has caught up")
        self.look("and fraud")

    def slow_down(self, who: str, delay_ms: float, else_: FaultPlan) -> None:
        """One subscriber takes long for each order, and takes one at a time; for a quarter of the time.

        else_: its faults otherwise.
        """
        self.until(self.rate * self.seconds / 2, "orders flow …")
        begin = max(self.seconds / 2, self.now_s())
        self._more(begin + self.seconds / 2)
        self.shop.faults(who, replace(else_, before_handle=replace(else_.before_handle, delay_ms=delay_ms)))
        self.shop.ask(who, "PUT", "/workers", b"1")
        self._mark("slow_from")
        self.until(self.published() + self.rate * self.seconds / 4, f"{who} is slow …")
        self.shop.ask(who, "PUT", "/workers", b"64")
        self.shop.faults(who, else_)
        self._mark("slow_until")

    def end(self) -> None:
        """Wait until all is published, and all is handled or dead."""
        self.until(self._upto, "orders flow …")
        self._words("waiting until all is handled …")
        self.shop.until(self._settled, 60, "every order is handled by every subscriber")
        self.look("at the end")

    def dead_letters(self, who: str, rows: pd.DataFrame) -> dict[str, Measure]:
        """How many of the orders that `who` gave up are among the dead letters, by the brokers' own word."""
        given_up = rows[rows["dead"] & (rows["who"] == who)].groupby("broker")["order"].nunique()
        counts: dict[str, int] = {}

        def all_there() -> bool:
            counts.update(table.count_dead_letters(self.shop, who))
            return all(counts[str(broker)] == n for broker, n in given_up.items())

        self.shop.until(all_there, 30, f"what {who} gave up is among the dead letters")
        return {f"{who}_{broker}_dead_letters": Measure(counts[broker], "orders") for broker in self.shop.brokers.names}

    def now_s(self) -> float:
        return (now_ns() - self.begin_ns) / 1e9

    def published(self) -> int:
        """Orders that every broker has confirmed, at the least."""
        found = table.published(self.shop.trace())
        return min(len(found[broker]) for broker in self.shop.brokers.names)

    def until(self, orders: float, words: str) -> None:
        """Wait until so many orders are published on each broker."""

        def flowed() -> bool:
            done = self.published()
            checkpoint(min(done / max(self._upto, 1), 1), words)
            return done >= min(orders, self._upto)

        self.shop.until(flowed, 60, f"{orders:.0f} orders are published")

    def _more(self, seconds: float) -> None:
        """Let orders flow until so many seconds from the first, at the least."""
        self._flow(max(self._upto, round(self.rate * seconds)))

    def _flow(self, upto: int) -> None:
        """Let orders flow until so many are published on each broker."""
        self._upto = upto
        self.shop.ask("storefront", "PUT", "/flow", str(upto).encode())

    def _settled(self) -> bool:
        if not self.shop.idle():
            return False
        trace = self.shop.trace()
        sent, ended = table.published(trace), table.ended(trace)
        return all(
            table.Place(broker, order, name) in ended
            for name in SUBSCRIBERS
            if name in self.shop.processes
            for broker in self.shop.brokers.names
            # What RabbitMQ had before fraud came is not fraud's; the last order is, and it is the last to be handled.
            for order in (sent[broker] if name != "fraud" or broker == "kafka" else sent[broker][-1:])
        )

    def _ended(self, orders: Mapping[str, str], who: str) -> bool:
        ended = table.ended(self.shop.trace())
        return all(table.Place(broker, order, who) in ended for broker, order in orders.items())

    def _mark(self, name: str) -> None:
        self.moments[name] = Measure(round(self.now_s(), 3), "s")

    def _words(self, words: str) -> None:
        checkpoint(min(self.published() / max(self._upto, 1), 1), words)


def count(rows: pd.DataFrame) -> Mapping[str, Measure]:
    """Per subscriber and broker: `fraud_kafka_published`, `_handled`, `_effects`, `_dead`, `_slowest` in ms."""
    numbers: dict[str, Measure] = {}
    for line in table.summary(rows).reset_index().to_dict("records"):
        name = f"{line['who']}_{line['broker']}"
        for what in ("published", "handled", "effects", "dead"):
            numbers[f"{name}_{what}"] = Measure(int(line[what]), "orders")
        if line["handled"]:
            numbers[f"{name}_slowest"] = Measure(float(line["slowest_ms"]), "ms")
    return numbers


def summarize(rows: pd.DataFrame, raises: str = NOBODY) -> str:
    """What every subscriber got, in a sentence."""
    counts = table.summary(rows)
    parts = []
    for who in dict.fromkeys(rows["who"]):
        mine = counts.xs(who, level="who")
        each = " and ".join(f"{int(line['effects'])} of {int(line['published'])}" for _, line in mine.iterrows())
        parts.append(f"{who} {each}")
    names = " and ".join(NAMES[broker] for broker in dict.fromkeys(rows["broker"]))
    dead = int(counts["dead"].sum())
    end = f" {raises.capitalize()} raised; {dead} orders are among the dead letters." if dead else ""
    return f"Orders done, on {names}: {', '.join(parts)}.{end}"
