"""Check, then act: two consumers, two copies of every event, and the moment between the look and the leap.

Every payment lies in the broker twice, as a publisher's retry leaves it. Two consumers work side by side, each with a
connection of its own to the ledger. They meet between "check" and "act", so that the race is no matter of luck.
"""

import queue
import threading
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Annotated, Any

import confluent_kafka as ck
import pandas as pd

from labkit import lab
from labkit.base import names
from labkit.base.errors import BrokerError, NotInTimeError
from labkit.brokers import kafka, rabbitmq
from labkit.brokers.kafka import bare
from labkit.brokers.kafka.topics import CURE
from labkit.events.event import Event
from labkit.events.trace import Trace
from labkit.harness.clearing import cleared
from labkit.harness.kinds import Broker, OneOf, Whole
from labkit.harness.settings import experiment
from labkit.lessons.idempotency import outcome
from labkit.lessons.idempotency.charging import orders, placed, workshop
from labkit.lessons.idempotency.ledger import Ledger
from labkit.lessons.idempotency.paper import Counts
from labkit.lessons.idempotency.reading import QUEUE_TYPE
from labkit.measure.result import Measure, Result
from labkit.patterns import inbox
from labkit.provision.model import NAMES

_MEET_S = 10.0
_IDLE_S = 10.0
Meet = Callable[[], Any]
Handler = Callable[[Ledger, Event, Meet], None]


def check_then_act(books: Ledger, event: Event, meet: Meet) -> None:
    """Look first, then charge."""
    seen = books.remembered(event.id)
    meet()
    if not seen:
        with books.store:
            inbox.remember(books.store, event.id, event.time.timestamp())
            books.charge(event.subject, int(event.data["cents"]))


def unique_key(books: Ledger, event: Event, meet: Meet) -> None:
    """The mend: the unique key of the inbox checks and acts in one statement."""
    meet()
    inbox.once(
        books.store,
        event.id,
        lambda: books.charge(event.subject, int(event.data["cents"])),
        event.time.timestamp(),
    )


HANDLERS = {"check, then act": check_then_act, "unique key": unique_key}


@experiment
def run(
    handler: str | Handler = "check, then act",
    broker: Broker = "rabbitmq",
    payments: Annotated[int, Whole(1, 500)] = 50,
) -> Result:
    """Charge 50 customers with two consumers that each get a copy of every event.

    handler: "check, then act", "unique key", or a function of your own (ledger, event, meet) that calls `meet()` once.
    measures: payments, doubled, lost (customers). Raises SettingError, StorageError, BrokerError, NotInTimeError.
    """
    if not callable(handler):
        OneOf(tuple(HANDLERS)).check("handler", handler)
    work = handler if callable(handler) else HANDLERS[handler]
    keys = orders(payments)
    with ExitStack() as end:
        folder = workshop(end)
        first = Ledger(folder / "ledger.db")
        end.callback(first.close)
        second = Ledger(folder / "ledger.db")
        end.callback(second.close)
        _race(broker, placed(keys), (first, second), work)
        counts = Counts(first.counts(), {}, keys)
    return _result(getattr(handler, "__name__", "yours") if callable(handler) else handler, broker, counts)


def _race(broker: str, events: list[Event], books: tuple[Ledger, Ledger], work: Handler) -> None:
    """Both consumers, each in a thread; an error of one ends the other, and is raised here."""
    barrier, errors = threading.Barrier(2, timeout=_MEET_S), queue.SimpleQueue[BaseException]()
    name = names.fresh("race")
    copies = {"kafka": _kafka_copies, "rabbitmq": _rabbitmq_copies}[broker]

    def consume(number: int) -> None:
        try:
            for event in copies(name, number, len(events)):
                with books[number].guarded():
                    work(books[number], event, barrier.wait)
        except BaseException as error:
            errors.put(error)
            barrier.abort()

    with cleared(partial(_forget, broker, name)):
        _publish(broker, name, events)
        threads = [threading.Thread(target=consume, args=(number,), daemon=True) for number in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        _check([errors.get() for _ in range(errors.qsize())])


def _check(errors: list[BaseException]) -> None:
    real = [error for error in errors if not isinstance(error, threading.BrokenBarrierError)]
    if real:
        raise real[0]
    if errors:
        raise NotInTimeError("The two consumers did not meet.", "a handler must call `meet()` once for every event")


def _publish(broker: str, name: str, events: list[Event]) -> None:
    """Two copies of every event. On Kafka one in each of two partitions: within one there would be no race."""
    if broker == "kafka":
        kafka.create_topics(lab.kafka_config(), {name: 2})
        producer = bare.producer(lab.kafka_config())
        for event in events:
            for partition in range(2):
                producer.produce(name, event.to_bytes(), event.subject, partition)
        if waiting := producer.flush(_IDLE_S):
            raise BrokerError(f"Kafka has not confirmed {waiting} events within {_IDLE_S:g} s.", CURE)
        return
    rabbitmq.declare_queue(lab.rabbitmq_parameters(), name, x_queue_type=QUEUE_TYPE)
    publisher = rabbitmq.Publisher(lab.rabbitmq_parameters())
    try:
        for event in events:
            for _ in range(2):
                publisher.publish(event, "", name)
        publisher.flush()
    finally:
        publisher.close()


def _kafka_copies(name: str, number: int, count: int) -> Any:
    consumer = kafka.Consumer(lab.kafka_config(), f"{name}.group", [name], fetch_wait_max_ms=20)
    try:
        consumer.client.unsubscribe()  # each consumer has its partition; who gets which is not the question here
        consumer.client.assign([ck.TopicPartition(name, number, ck.OFFSET_BEGINNING)])
        for received in consumer.events(idle_s=_IDLE_S):
            yield received.event
            consumer.commit(received)
            if received.offset + 1 == count:
                return
    finally:
        consumer.close()


def _rabbitmq_copies(name: str, number: int, count: int) -> Any:
    # prefetch 1: as long as they meet, each of the two holds one copy of the same event
    consumer = rabbitmq.Consumer(lab.rabbitmq_parameters(), name, prefetch=1, x_queue_type=QUEUE_TYPE)
    try:
        for at, received in enumerate(consumer.events(idle_s=_IDLE_S), 1):
            yield received.event
            consumer.ack(received)
            if at == count:
                return
    finally:
        consumer.close()


def _forget(broker: str, name: str) -> None:
    if broker == "kafka":
        kafka.delete_topics(lab.kafka_config(), [name])
    else:
        rabbitmq.delete(lab.rabbitmq_parameters(), name)


def _result(handler: str, broker: str, counts: Counts) -> Result:
    lost, doubled, total = len(counts.lost), len(counts.doubled), len(counts.keys)
    table = pd.DataFrame([{"handler": handler, "broker": broker, "payments": total, "lost": lost, "doubled": doubled}])
    measures = {
        "payments": Measure(total, "payments"),
        "lost": Measure(lost, "customers"),
        "doubled": Measure(doubled, "customers"),
    }
    did = (
        f"{doubled} of {total} customers were charged twice" if doubled else f"all {total} customers were charged once"
    )
    did = f"{lost} of {total} customers were never charged" if lost else did
    provenance = {"broker": outcome.label(broker), "settings": f"two consumers, two copies of {total} events"}
    return Result(f"“{handler}” on {NAMES[broker]}: {did}.", table, measures, outcome.wronged(counts, {}, Trace()),
                  provenance)  # fmt: skip
