"""Lesson 08: a topic gets more partitions while orders are under way. What does that do to order, and to what is read?

A key is hashed to a number, and the number divided by the *number of partitions* says which. More partitions, and the
same key lies elsewhere from now on: an order that outlives the change lies in two partitions.

The consumer's client looks for new partitions every 200 ms here (librdkafka's default: 5 minutes). Where it begins in
one that it has not seen before is `auto.offset.reset`: "earliest"; or "latest", which passes over what lies there.
"""

import itertools
import threading
from typing import Any

import confluent_kafka as ck
from confluent_kafka.admin import AdminClient, NewPartitions  # type: ignore[attr-defined]

from labkit import lab
from labkit.base import names
from labkit.base.errors import BrokerError
from labkit.base.wait import until
from labkit.brokers import kafka
from labkit.brokers.kafka.topics import is_led, quiet
from labkit.events.event import Event
from labkit.events.trace import Trace
from labkit.harness import checked
from labkit.harness.clearing import cleared
from labkit.harness.progress import Progress, go_on
from labkit.harness.threads import Threads
from labkit.lessons.ordering.experiment import result
from labkit.lessons.ordering.load import Planned, plan
from labkit.lessons.ordering.publish import publish
from labkit.lessons.ordering.setting import OrderingError, Setting
from labkit.lessons.ordering.work import SERVICE, Delivery, Run
from labkit.measure.result import Measure, Result

END = "RunEnded"
READ = ("later", "live")
RESETS = ("earliest", "latest")
REFRESH_MS = 200
_FETCH_BYTES = 4096  # of a partition at a time: as in a large backlog, none is read to its end before the others
_PATIENCE_S = 30


def run(
    before: int = 4,
    after: int = 8,
    read: str = "later",
    reset: str = "earliest",
    orders: int = 100,
    seed: int = 1,
    progress: Progress | None = None,
    cancelled: threading.Event | None = None,
) -> Result:
    """Publish long-lived orders, each with its own key, and half way add partitions. One consumer reads them.

    before, after: partitions; the same number twice: nothing is added. read: "later", when all of it lies in the topic
    as a backlog, or "live". reset: the consumer's `auto.offset.reset`.
    measures: as `ordering.run`, and lost (events that the consumer never got).
    Takes 2 to 3 s. Raises OrderingError for what cannot be set, BrokerError, NotInTimeError.
    """
    setting = Setting(key="order", partitions=before, consumers=1, load="long lives", orders=orders, seed=seed)
    _check(before, after, read, reset)
    side = _Side(setting, after, reset, cancelled)
    with cleared(side.close):
        go_on(cancelled, progress, 0, f"publishing to {before} partitions …")
        side.publish_all(live=read == "live")
        go_on(cancelled, progress, 0.5, "reading …")
        side.read_to_the_end()
        side.course.check()
    side.course.check()  # what a thread said while it ended
    return _result(setting, side, after, read, reset)


class _Side:
    """One topic, one producer before the change and one after it, one consumer."""

    def __init__(self, setting: Setting, after: int, reset: str, cancelled: threading.Event | None) -> None:
        self._config, self._after, self._reset = lab.kafka_config(), after, reset
        self._cancelled = cancelled
        self.trace = Trace()
        self.plan = plan(setting.orders, setting.seed, setting.load)
        self.course = Run(setting, self.plan, self.trace)
        self.topic = names.fresh("grows")
        self._warm = f"{self.topic}.warm"
        self._held, self._ended = 0, set[str]()
        self._producers: list[kafka.Producer] = []
        self._threads = Threads(self.course.fail)
        kafka.create_topics(self._config, {self.topic: setting.partitions, self._warm: 1})

    def publish_all(self, live: bool) -> None:
        """The first half, then more partitions, then the second half, from a producer that knows of them."""
        first, second = self._two_producers()
        half = len(self.plan) // 2
        begun_s = self.plan[half].due_s
        if live:
            self._threads.start(self._read)
            self._until(lambda: self._held == self.course.setting.partitions, "the consumer holds all partitions")
        self._publish(first, self.plan[:half], 0.0)
        if self._after > self.course.setting.partitions:
            self._add_partitions()
        self._publish(second, self.plan[half:], begun_s)

    def _two_producers(self) -> list[kafka.Producer]:
        """Two that have their ids already, which takes half a second; neither knows the topic's partitions yet."""
        self._producers = [kafka.Producer(self._config, self.trace, "producer#1") for _ in range(2)]
        for producer in self._producers:
            producer.client.produce(self._warm, b"")
        for producer in self._producers:
            producer.flush()
        return self._producers

    def _publish(self, producer: kafka.Producer, part: list[Planned], begun_s: float) -> None:
        shifted = [Planned(one.event, one.customer, one.due_s - begun_s, one.work_s, False) for one in part]

        def send(planned: Planned, told: Any) -> None:
            self._go_on()
            producer.publish(planned.event, self.topic, planned.event.subject, told)

        publish(shifted, [send], producer.poll, self.course.done)
        producer.flush()

    def _add_partitions(self) -> None:
        admin = AdminClient(quiet(self._config))
        try:
            admin.create_partitions([NewPartitions(self.topic, self._after)])[self.topic].result()
        except ck.KafkaException as error:
            raise BrokerError(
                f"Kafka added no partitions to {self.topic}: {error.args[0].str()}.",
                "look at `python -m labkit logs kafka`",
            ) from error
        self._until(lambda: is_led(admin, self.topic, self._after), "Kafka has the new partitions ready")

    def read_to_the_end(self) -> None:
        """Until an end mark has come from each partition: what lies before it in its partition has come, or never will.

        Marks are sent again until one is seen: a reader that begins with the latest passes over those before it came.
        """
        if not self._threads:
            self._threads.start(self._read)
        self._until(lambda: self._held == self._after, "the consumer has found every partition")
        client = self._producers[-1].client
        for number in itertools.count():
            mark = Event(END, "/lab", f"{END}-{number}", {}).to_bytes()
            for partition in range(self._after):
                client.produce(self.topic, mark, partition=partition)
            client.flush()
            self._go_on()
            if self.course.done.wait(0.25):
                return

    def _read(self) -> None:
        who = f"{SERVICE}#1"
        consumer = kafka.Consumer(
            self._config, f"{self.topic}.{SERVICE}", [self.topic], self.trace, who,
            auto_offset_reset=self._reset, topic_metadata_refresh_interval_ms=REFRESH_MS, fetch_wait_max_ms=20,
            max_partition_fetch_bytes=_FETCH_BYTES, enable_auto_commit=True,  # it keeps its place when it gets more
        )  # fmt: skip
        try:
            while not self.course.done.is_set():
                received = consumer.poll(0.02)
                self._held = len(consumer.client.assignment())
                if received is None:
                    continue
                channel = f"{received.topic}/{received.partition}"
                if received.event.type == END:
                    self._ended.add(channel)
                else:
                    delivery = Delivery(received.event, channel, received.offset, lambda: None, lambda: None)
                    self.course.handle(delivery, who)
                if len(self._ended) == self._after:
                    self.course.done.set()
        finally:
            consumer.close()

    def _go_on(self) -> None:
        go_on(self._cancelled)
        self.course.check()

    def _until(self, fact: Any, what: str) -> None:
        def true() -> bool:
            self._go_on()
            return bool(fact())

        until(true, _PATIENCE_S, what)

    def close(self) -> None:
        """End the consumer and delete the topics."""
        self.course.done.set()
        self._threads.join()
        for producer in self._producers:
            producer.client.purge()
        kafka.delete_topics(self._config, [self.topic, self._warm])


def _check(before: int, after: int, read: str, reset: str) -> None:
    checked.one_of(OrderingError, "read", read, READ)
    checked.one_of(OrderingError, "reset", reset, RESETS)
    if read == "later" and reset == "latest":
        raise OrderingError(
            "A reader that comes later and begins with the latest event reads nothing of the run.",
            'take read="live", or reset="earliest"',
        )
    if type(after) is not int or not before <= after <= 64:
        raise OrderingError(
            f"From {before} partitions to {after!r}: Kafka can add partitions, and take none away.",
            f"give a whole number from {before} to 64",
        )


def _result(setting: Setting, side: _Side, after: int, read: str, reset: str) -> Result:
    trace = Trace(row for row in side.trace.rows() if not row.key.startswith(END))
    found = result(setting, trace)
    lost = len(side.course.plan) - side.course.handled
    grew = f"{setting.partitions} → {after} partitions" if after > setting.partitions else f"{after} partitions"
    about = {**found.provenance, "change": f"{grew}, read {read}, {reset}"}
    told = _sentence(found, setting, after, lost, len(side.course.plan))
    measures = {**found.measures, "lost": Measure(lost, "events")}
    return Result(told, found.deliveries, measures, found.anomalies, about, trace)


def _sentence(found: Result, setting: Setting, after: int, lost: int, total: int) -> str:
    grew = after > setting.partitions
    done = f"From {setting.partitions} to {after} partitions half way" if grew else f"{after} partitions all the time"
    broken, orders = int(found.measures["broken"].value), int(found.measures["orders"].value)
    parts = [f"{broken} of {orders} orders were handled out of order" if broken else "order held"]
    parts.append(f"{lost} of {total} events were never read" if lost else "no event was lost")
    return f"{done}: {', and '.join(parts)}."
