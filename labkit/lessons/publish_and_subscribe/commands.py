"""Lesson 02: a command that is sent like an event. Two copies of inventory, one database: who reserves, and how often?

Broadcast: each copy has a queue, or a group, of its own. To one: both copies read one queue, or are in one group.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack

import pandas as pd
import pika

from labkit.base import names
from labkit.base.errors import NotInTimeError
from labkit.base.wait import until
from labkit.brokers import kafka, rabbitmq
from labkit.brokers.rabbitmq import topology
from labkit.events.event import Event
from labkit.events.trace import now_ns
from labkit.harness.shop import Brokers
from labkit.measure.result import Measure, Result
from labkit.shop import orders, store
from labkit.shop.inventory import Inventory

BROADCAST, ONE = "broadcast", "to one"
COPIES = ("copy 1", "copy 2")
WAYS = {BROADCAST: ("copy-1", "copy-2"), ONE: ("inventory", "inventory")}  # the queue, or group, of each of two copies

Done = list[tuple[str, str]]
"""(order, copy) of every reservation."""


def run(n: int = 12, brokers: Brokers | None = None) -> Result:
    """Send `n` commands ReserveStock on each broker, both ways, to two copies of inventory.

    deliveries: one row per broker, way and order: reservations, copies (who reserved). measures: for each broker and
    way, `kafka_broadcast_reservations`, and `kafka_broadcast_twice`, the orders that were reserved twice.
    Raises NotInTimeError when a broker does not give out what it has, ValueError without both brokers.
    """
    used = brokers or Brokers.of_lab()
    if not (used.kafka and used.rabbitmq):
        raise ValueError("this run compares both brokers; give it both")
    commands = [_command(order) for order in orders.load(n)]
    rows = []
    for broker, send in (("kafka", _kafka), ("rabbitmq", _rabbitmq)):
        for way, places in WAYS.items():
            done = send(used, commands, places)
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
    return Result(sentence, table, numbers, provenance={"brokers": used.stamp, "load": f"{n} commands each way"})


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


def _kafka(brokers: Brokers, commands: Sequence[Event], groups: Sequence[str]) -> Done:
    """Publish to a topic of two partitions; each copy reads it as a member of its group."""
    topic = names.fresh("commands")
    with ExitStack() as end:
        kafka.create_topics(brokers.kafka, {topic: 2})
        end.callback(kafka.delete_topics, brokers.kafka, [topic, topic + kafka.DEAD_SUFFIX])
        copies = [kafka.Consumer(brokers.kafka, f"{topic}.{group}", [topic]) for group in groups]
        for copy in copies:
            end.callback(copy.close)
        members, partitions = [copy.client for copy in copies], 2 * len(set(groups))
        until(lambda: kafka.all_assigned(members, partitions), 30, "every copy has partitions to read")
        producer = kafka.Producer(brokers.kafka)
        end.callback(producer.close)
        for command in commands:
            producer.publish(command, topic)
        producer.flush()
        reserve = _Reserving()
        wanted = len(commands) * len(set(groups))  # each group gets every command
        give_up_ns = now_ns() + 30 * 10**9
        while len(reserve.done) < wanted:
            for i, copy in enumerate(copies, 1):
                if (received := copy.poll(0.05)) is not None:
                    reserve(received.event, i)
                    copy.commit(received)
            if now_ns() > give_up_ns:
                raise NotInTimeError("Kafka did not give out all commands.", "look at `python -m labkit logs kafka`")
        return reserve.done


def _rabbitmq(brokers: Brokers, commands: Sequence[Event], queues: Sequence[str]) -> Done:
    """Publish to an exchange that copies into every queue bound to it; the copies of inventory take turns."""
    parameters, exchange = pika.URLParameters(brokers.rabbitmq), names.fresh("commands")
    places = [f"{exchange}.{queue}" for queue in queues]
    with ExitStack() as end:
        end.callback(rabbitmq.delete, parameters, *places, exchanges=(exchange,))
        rabbitmq.declare_exchange(parameters, exchange, "fanout")
        for place in places:
            rabbitmq.declare_queue(parameters, place, exchange)
        publisher = rabbitmq.Publisher(parameters)
        end.callback(publisher.close)
        for command in commands:
            publisher.publish(command, exchange, command.subject)
        publisher.flush()
        channel = end.enter_context(topology.channel(parameters))
        reserve = _Reserving()

        def take(copy: int) -> bool:
            method, _, body = channel.basic_get(places[copy - 1])
            if method is None:
                return False
            reserve(Event.from_bytes(body), copy)
            channel.basic_ack(method.delivery_tag)
            return True

        _in_turn(take)
        return reserve.done


def _in_turn(take: Callable[[int], bool]) -> None:
    """Let copy 1 and copy 2 take one command each, until neither finds any."""
    while any([take(1), take(2)]):
        pass


class _Reserving:
    """Two copies of inventory over one database."""

    def __init__(self) -> None:
        self.inventory = Inventory(store.connect(":memory:"), now_ns)
        self.done: Done = []

    def __call__(self, command: Event, copy: int) -> None:
        self.inventory.handle(command)
        self.done.append((command.subject, COPIES[copy - 1]))
