"""Lesson 02: a command that is sent like an event. Two copies of inventory, one database: who reserves, and how often?

Broadcast: each copy has a queue, or a group, of its own. To one: both copies read one queue, or are in one group.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Annotated, Any

import pandas as pd

from labkit import lab
from labkit.base import names
from labkit.base.wait import until
from labkit.brokers import kafka, rabbitmq
from labkit.events.event import Event
from labkit.events.trace import now_ns
from labkit.harness.kinds import Whole
from labkit.harness.settings import experiment
from labkit.measure.result import Measure, Result
from labkit.shop import orders, store
from labkit.shop.inventory import Inventory

BROADCAST, ONE = "broadcast", "to one"
COPIES = ("copy 1", "copy 2")
WAYS = {BROADCAST: ("copy-1", "copy-2"), ONE: ("inventory", "inventory")}  # the queue, or group, of each of two copies

Done = list[tuple[str, str]]
"""(order, copy) of every reservation."""


@experiment
def run(n: Annotated[int, Whole(1, 5000)] = 12) -> Result:
    """Send `n` commands ReserveStock on each broker, both ways, to two copies of inventory.

    deliveries: one row per broker, way and order: reservations, copies (who reserved). measures: for each broker and
    way, `kafka_broadcast_reservations`, and `kafka_broadcast_twice`, the orders that were reserved twice.
    Raises NotInTimeError when a broker does not give out what it has, UnknownBrokerError when one is not there.
    """
    brokers = lab.brokers("both")
    commands = [_command(order) for order in orders.load(n)]
    rows = []
    for broker, send in (("kafka", _kafka), ("rabbitmq", _rabbitmq)):
        for way, places in WAYS.items():
            done = send(brokers, commands, places)
            for command in commands:
                copies = [copy for order, copy in done if order == command.subject]
                told = {"order": command.subject, "reservations": len(copies), "copies": ", ".join(sorted(copies))}
                rows.append({"broker": broker, "way": way, **told})
    table = pd.DataFrame(rows)
    counts = summary(table)
    numbers = {
        f"{line['broker']}_{line['way'].replace(' ', '_')}_{what}": Measure(int(line[what]), "orders")
        for line in counts.reset_index().to_dict("records")
        for what in ("reservations", "twice")
    }
    twice = counts["twice"].groupby(level="way").sum()
    sentence = f"Broadcast, {twice[BROADCAST]} of {2 * n} orders are reserved twice; sent to one, {twice[ONE]}."
    return Result(sentence, table, numbers, provenance={"brokers": brokers.stamp, "load": f"{n} commands each way"})


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """One line per broker and way: commands, what each copy reserved, how many orders are reserved twice."""
    by_copy = {copy: rows["copies"].str.contains(copy, regex=False) for copy in COPIES}
    marked = rows.assign(twice=rows["reservations"] > 1, **by_copy)
    groups = marked.groupby(["broker", "way"], sort=False)
    counts = groups.agg(commands=("order", "count"), reservations=("reservations", "sum"))
    return counts.join(groups[[*COPIES, "twice"]].sum())


def _command(order: orders.Order) -> Event:
    lines = order.placed_event()["data"]["lines"]
    return Event("ReserveStock", "/shop/checkout", order.id, {"order": order.id, "lines": lines})


def _kafka(brokers: lab.Brokers, commands: Sequence[Event], groups: Sequence[str]) -> Done:
    """Publish to a topic of two partitions; each copy reads it as a member of its group."""
    topic, config = names.fresh("commands"), brokers.kafka_config()
    with kafka.temporary_topics(config, {topic: 2}), ExitStack() as end:
        copies = [kafka.Consumer(config, f"{topic}.{group}", [topic]) for group in groups]
        for copy in copies:
            end.callback(copy.close)
        members, partitions = [copy.client for copy in copies], 2 * len(set(groups))
        until(lambda: kafka.all_assigned(members, partitions), 30, "every copy has partitions to read")
        producer = kafka.Producer(config)
        end.callback(producer.close)
        for command in commands:
            producer.publish(command, topic)
        producer.flush()
        return _reserve(copies, kafka.Consumer.commit, len(commands) * len(set(groups)))


def _rabbitmq(brokers: lab.Brokers, commands: Sequence[Event], queues: Sequence[str]) -> Done:
    """Publish to an exchange that copies into every queue bound to it; each copy consumes from its queue."""
    parameters, exchange = brokers.rabbitmq_parameters(), names.fresh("commands")
    mine = [f"{exchange}.{queue}" for queue in queues]
    with rabbitmq.temporary_queues(parameters, dict.fromkeys(mine, ("",)), exchange, "fanout"), ExitStack() as end:
        copies = [rabbitmq.Consumer(parameters, queue, prefetch=1, provide=False) for queue in mine]
        for copy in copies:
            end.callback(copy.close)
            copy.poll(0)  # subscribes
        publisher = rabbitmq.Publisher(parameters)
        end.callback(publisher.close)
        for command in commands:
            publisher.publish(command, exchange, command.subject)
        publisher.flush()
        return _reserve(copies, rabbitmq.Consumer.ack, len(commands) * len(set(mine)))


def _reserve(copies: Sequence[Any], settle: Callable[[Any, Any], object], expected: int) -> Done:
    """Two copies of inventory over one database take one command each, in turn, until there are no more.

    settle: tells the broker that it is done. Raises NotInTimeError when fewer than `expected` come.
    """
    inventory, done = Inventory(store.connect(":memory:"), now_ns), Done()

    def took_none() -> bool:
        before = len(done)
        for name, copy in zip(COPIES, copies, strict=True):
            if (received := copy.poll(0.05)) is not None:
                inventory.handle(received.event)
                done.append((received.event.subject, name))
                settle(copy, received)
        return before == len(done) >= expected

    until(took_none, 30, "every command is handled", every_s=0)
    return done
