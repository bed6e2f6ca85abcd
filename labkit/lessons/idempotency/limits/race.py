"""Check, then act: two consumers, two copies of every event, and the moment between the look and the leap.

Every payment is in the broker twice, as a publisher's retry leaves it. Two consumers work side by side, each with a
connection of its own to the ledger. They meet between "check" and "act", so that the race is no matter of luck.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from typing import Annotated, Any

import pandas as pd

from labkit import lab
from labkit.base import names, patience
from labkit.base.checkpoint import checkpoint
from labkit.base.errors import NotInTimeError
from labkit.base.tasks import TaskGroup
from labkit.brokers import kafka, rabbitmq
from labkit.events.event import Event
from labkit.events.trace import Trace
from labkit.harness.kinds import Broker, OneOf, Whole
from labkit.harness.settings import experiment
from labkit.lessons.idempotency import outcome
from labkit.lessons.idempotency.charging import orders, placed, work_dir
from labkit.lessons.idempotency.ledger import Ledger
from labkit.lessons.idempotency.predicted import Counts
from labkit.lessons.idempotency.rabbitmq import QUEUE_TYPE
from labkit.measure.result import Measure, Result
from labkit.patterns import inbox
from labkit.provision.model import NAMES

_MEET_S = 10.0
_RACE_S = 60.0
Meet = Callable[[], Any]
Handler = Callable[[Ledger, Event, Meet], None]


def check_then_act(ledger: Ledger, event: Event, meet: Meet) -> None:
    """Look first, then charge."""
    seen = ledger.remembered(event.id)
    meet()
    if not seen:
        with ledger.store:
            inbox.remember(ledger.store, event.id, event.time.timestamp())
            ledger.charge(event.subject, int(event.data["cents"]))


def unique_key(ledger: Ledger, event: Event, meet: Meet) -> None:
    """The mend: the unique key of the inbox checks and acts in one statement."""
    meet()
    inbox.once(
        ledger.store,
        event.id,
        lambda: ledger.charge(event.subject, int(event.data["cents"])),
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
    keys, tasks = orders(payments), TaskGroup()
    race = _Race(tasks, work, 2 * payments)
    consumers = {"kafka": _on_kafka, "rabbitmq": _on_rabbitmq}[broker]
    with ExitStack() as stack:
        file = stack.enter_context(work_dir()) / "ledger.db"
        ledgers = [stack.enter_context(closing(Ledger(file))) for _ in range(2)]
        handlers = [partial(race.handle, ledger) for ledger in ledgers]
        stack.enter_context(consumers(tasks, handlers, placed(keys)))
        tasks.wait(race.is_over, _RACE_S, "both consumers have handled their copies")
        counts = Counts(ledgers[0].counts(), {}, keys)
    return _result(getattr(handler, "__name__", "yours") if callable(handler) else handler, broker, counts)


class _Race:
    """Two consumers that meet for every event. An error of one ends the other. copies: how many there are to handle."""

    def __init__(self, tasks: TaskGroup, handler: Handler, copies: int) -> None:
        self._tasks, self._handler, self._copies, self._handled = tasks, handler, copies, 0
        self._barrier, self._lock = threading.Barrier(2, timeout=patience.seconds(_MEET_S)), threading.Lock()

    def handle(self, ledger: Ledger, event: Event, ack: Callable[[], None]) -> None:
        """What each of the two does with its copy, with a connection of its own to the ledger."""
        try:
            with ledger.guarded():
                self._handler(ledger, event, self._barrier.wait)
            ack()
        except threading.BrokenBarrierError as error:
            cure = "a handler must call `meet()` once for every event"
            raise NotInTimeError("The two consumers did not meet.", cure) from error
        except BaseException as error:
            self._tasks.fail(error)  # before the other one hears of it
            self._barrier.abort()
            raise
        with self._lock:
            self._handled += 1
            if self._handled == self._copies:
                self._tasks.done.set()

    def is_over(self) -> bool:
        checkpoint(self._handled / self._copies, "two consumers handle the same events …")
        return self._tasks.done.is_set()


Handle = Callable[[Event, Callable[[], None]], None]


@contextmanager
def _on_kafka(tasks: TaskGroup, handlers: Sequence[Handle], events: Sequence[Event]) -> Iterator[None]:
    """A copy in each of two partitions: within one there would be no race."""
    config, topic = lab.kafka_config(), names.fresh("race")
    with kafka.temporary_topics(config, {topic: 2}), kafka.Producer(config) as producer, tasks:

        def listen(handle: Handle) -> kafka.Listener:
            def take(received: kafka.Received, consumer: kafka.Consumer) -> None:
                handle(received.event, partial(consumer.commit, received))

            return kafka.Listener(tasks, config, f"{topic}.group", topic, take, fetch_wait_max_ms=20)

        kafka.wait_until_assigned(tasks, *[listen(handle) for handle in handlers])
        for event in events:
            for partition in range(2):
                producer.client.produce(topic, event.to_bytes(), event.subject, partition)
        producer.flush()
        yield


@contextmanager
def _on_rabbitmq(tasks: TaskGroup, handlers: Sequence[Handle], events: Sequence[Event]) -> Iterator[None]:
    """Both copies in one queue. Prefetch 1: as long as they meet, each of the two holds one copy of the same event."""
    parameters, queue = lab.rabbitmq_parameters(), names.fresh("race")
    with (
        rabbitmq.temporary_queues(parameters, [queue], x_queue_type=QUEUE_TYPE),
        rabbitmq.Publisher(parameters) as publisher,
        tasks,
    ):

        def listen(handle: Handle) -> None:
            def take(received: rabbitmq.Received, consumer: rabbitmq.Consumer) -> None:
                handle(received.event, partial(consumer.ack, received))

            rabbitmq.Listener(tasks, parameters, queue, take, prefetch=1)

        for handle in handlers:
            listen(handle)
        for event in events:
            for _ in range(2):
                publisher.publish(event, "", queue)
        publisher.flush()
        yield


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
    provenance = {"broker": lab.brokers(broker).stamp, "settings": f"two consumers, two copies of {total} events"}
    return Result(f"“{handler}” on {NAMES[broker]}: {did}.", table, measures, outcome.affected(counts, {}, Trace()),
                  provenance)  # fmt: skip
