"""Lesson 08: a topic gets more partitions while orders are under way. What does that do to order, and to what is read?

A key is hashed to a number, and the number divided by the *number of partitions* says which. More partitions, and the
same key goes elsewhere from now on: an order that outlives the change is in two partitions.

The consumer's client looks for new partitions every 200 ms here (librdkafka's default: 5 minutes). Where it begins in
one that it has not seen before is `auto.offset.reset`: "earliest"; or "latest", which passes over what is there.
"""

import itertools
from dataclasses import replace
from typing import Annotated

import confluent_kafka as ck
from confluent_kafka.admin import AdminClient, NewPartitions  # type: ignore[attr-defined]

from labkit import lab
from labkit.base import names
from labkit.base.errors import BrokerError, SettingError
from labkit.brokers import kafka
from labkit.brokers.kafka.topics import is_led, quiet
from labkit.events.event import Event
from labkit.events.trace import Trace
from labkit.harness.kinds import OneOf, Seed, Whole
from labkit.harness.settings import experiment
from labkit.lessons.ordering.experiment import result
from labkit.lessons.ordering.kafka import FETCH_WAIT_MS
from labkit.lessons.ordering.load import Orders, plan
from labkit.lessons.ordering.publish import publisher
from labkit.lessons.ordering.setting import Setting
from labkit.lessons.ordering.work import SERVICE, Delivery, Run
from labkit.measure.result import Measure, Result

END = "RunEnded"
READ = ("later", "live")
RESETS = ("earliest", "latest")
REFRESH_MS = 200
_FETCH_BYTES = 4096  # of a partition at a time: as in a large backlog, none is read to its end before the others
_TIMEOUT_S = 30
_Partitions = Annotated[int, Whole(1, 64)]


@experiment
def run(
    before: _Partitions = 4,
    after: _Partitions = 8,
    read: Annotated[str, OneOf(READ)] = "later",
    reset: Annotated[str, OneOf(RESETS)] = "earliest",
    orders: Orders = 100,
    seed: Seed = 1,
) -> Result:
    """Publish long-lived orders, each with its own key, and half way add partitions. One consumer reads them.

    before, after: partitions; the same number twice: nothing is added. read: "later", when all of it is in the topic
    as a backlog, or "live". reset: the consumer's `auto.offset.reset`.
    measures: as `ordering.run`, and lost (events that the consumer never got).
    Takes 2 to 3 s. Raises SettingError for what cannot be set, BrokerError, NotInTimeError.
    """
    _check(before, after, read, reset)
    setting = Setting(key="order", partitions=before, consumers=1, load="long lives", orders=orders, seed=seed)
    events = plan(orders, seed, setting.load)
    state, half = Run(setting, events), len(events) // 2
    first, second = events[:half], [replace(one, due_s=one.due_s - events[half].due_s) for one in events[half:]]
    config, topic = lab.brokers("kafka").kafka_config(), names.fresh("grows")
    with (
        kafka.temporary_topics(config, {topic: before}),
        kafka.Producer(config, state.trace, "producer#1") as old,
        kafka.Producer(config, state.trace, "producer#1") as new,  # it meets the topic when it has grown
        state.tasks,
    ):
        reader = _Reader(state, config, topic, after, reset)
        kafka.warm_up(config, old, new)
        if read == "live":
            reader.listen(before)
        publisher(state, [old], topic, kafka.NO_KEY, [old.poll])(first)
        if after > before:
            _add_partitions(state, config, topic, after)
        publisher(state, [new], topic, kafka.NO_KEY, [new.poll])(second)
        if read == "later":
            reader.listen(after)
        reader.read_to_the_end(new)
    return _result(state, after, read, reset)


class _Reader:
    """One consumer, which reads until it has seen an end mark in each partition."""

    def __init__(self, state: Run, config: dict[str, str], topic: str, after: int, reset: str) -> None:
        self._state, self._config, self._topic, self._after, self._reset = state, config, topic, after, reset
        self._ended = set[str]()
        self._listener: kafka.Listener | None = None

    def listen(self, partitions: int) -> None:
        """Start, and wait until it holds all partitions."""
        self._listener = kafka.Listener(
            self._state.tasks, self._config, f"{self._topic}.{SERVICE}", self._topic, self._take, self._state.trace,
            f"{SERVICE}#1", auto_offset_reset=self._reset, topic_metadata_refresh_interval_ms=REFRESH_MS,
            max_partition_fetch_bytes=_FETCH_BYTES, fetch_wait_max_ms=FETCH_WAIT_MS,
            enable_auto_commit=True,  # it keeps its place when the topic grows
        )  # fmt: skip
        self._until_it_holds(partitions)

    def _until_it_holds(self, partitions: int) -> None:
        def holds() -> bool:
            return self._listener is not None and len(self._listener.assigned) == partitions

        self._state.tasks.wait(holds, _TIMEOUT_S, f"the consumer holds {partitions} partitions")

    def _take(self, received: kafka.Received, _: kafka.Consumer) -> None:
        channel = f"{received.topic}/{received.partition}"
        if received.event.type == END:
            self._ended.add(channel)
        else:
            delivery = Delivery(received.event, channel, received.offset, lambda: None, lambda: None)
            self._state.handle(delivery, f"{SERVICE}#1")
        if len(self._ended) == self._after:
            self._state.tasks.done.set()

    def read_to_the_end(self, producer: kafka.Producer) -> None:
        """Until an end mark has come from each partition: what is before it in its partition has come, or never will.

        Marks are sent again until one is seen: a reader that begins with the latest passes over those before it came.
        """
        self._until_it_holds(self._after)
        for number in itertools.count():
            mark = Event(END, "/lab", f"{END}-{number}", {}).to_bytes()
            for partition in range(self._after):
                producer.client.produce(self._topic, mark, partition=partition)
            producer.flush()
            self._state.report()
            if self._state.tasks.done.wait(0.25):
                self._state.tasks.check()
                return


def _add_partitions(state: Run, config: dict[str, str], topic: str, partitions: int) -> None:
    admin = AdminClient(quiet(config))
    try:
        admin.create_partitions([NewPartitions(topic, partitions)])[topic].result()
    except ck.KafkaException as error:
        raise BrokerError(
            f"Kafka added no partitions to {topic}: {error.args[0].str()}.", "look at `python -m labkit logs kafka`"
        ) from error
    state.tasks.wait(lambda: is_led(admin, topic, partitions), _TIMEOUT_S, "Kafka has the new partitions ready")


def _check(before: int, after: int, read: str, reset: str) -> None:
    if read == "later" and reset == "latest":
        raise SettingError(
            "A reader that comes later and begins with the latest event reads nothing of the run.",
            'take read="live", or reset="earliest"',
        )
    if after < before:
        raise SettingError(
            f"From {before} partitions to {after}: Kafka can add partitions, and take none away.",
            f"give a whole number from {before} to 64",
        )


def _result(state: Run, after: int, read: str, reset: str) -> Result:
    setting = state.setting
    trace = Trace(row for row in state.trace.rows() if not row.key.startswith(END))
    found = result(setting, trace)
    lost = len(state.plan) - state.handled
    grew = f"{setting.partitions} → {after} partitions" if after > setting.partitions else f"{after} partitions"
    about = {**found.provenance, "change": f"{grew}, read {read}, {reset}"}
    sentence = _sentence(found, setting, after, lost, len(state.plan))
    measures = {**found.measures, "lost": Measure(lost, "events")}
    return Result(sentence, found.deliveries, measures, found.anomalies, about, trace)


def _sentence(found: Result, setting: Setting, after: int, lost: int, total: int) -> str:
    grew = after > setting.partitions
    done = f"From {setting.partitions} to {after} partitions half way" if grew else f"{after} partitions all the time"
    broken, orders = int(found.measures["out_of_order"].value), int(found.measures["orders"].value)
    parts = [f"{broken} of {orders} orders were handled out of order" if broken else "order held"]
    parts.append(f"{lost} of {total} events were never read" if lost else "no event was lost")
    return f"{done}: {', and '.join(parts)}."
