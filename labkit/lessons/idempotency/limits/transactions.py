"""Kafka's transactions: read, publish and commit the offset, all or nothing. And where their promise ends.

The consumer publishes PaymentTaken for each OrderPlaced, in a transaction together with its offset. It also charges in
its own ledger, which no transaction of Kafka's reaches. It crashes where the seed says; then a producer of the same
name takes over, and Kafka aborts what was open.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import confluent_kafka as ck
import pandas as pd

from labkit import lab
from labkit.base.errors import BrokerError
from labkit.brokers.kafka.topics import CURE, quiet, said, step_timeout_s
from labkit.events.trace import Trace
from labkit.harness.kinds import Seed
from labkit.harness.settings import experiment
from labkit.lessons.idempotency import crashes
from labkit.lessons.idempotency.charging import orders, placed, work_dir
from labkit.lessons.idempotency.crashes import CrashPlan
from labkit.lessons.idempotency.kafka import Reader, backend, messages
from labkit.lessons.idempotency.ledger import Ledger
from labkit.lessons.idempotency.predicted import Counts, predict
from labkit.lessons.idempotency.reading import Backend, Delivery, counts
from labkit.lessons.idempotency.real_steps import RealSteps
from labkit.lessons.idempotency.setting import Batch, CrashRate, Payments
from labkit.lessons.idempotency.steps import ACK, HANDLE, LEDGER, Strategy
from labkit.lessons.idempotency.work import Work
from labkit.measure.result import Measure, Result

WAY = Strategy("Kafka transaction", (HANDLE, ACK), brokers=("kafka",))


@experiment
def run(payments: Payments = 200, crash_rate: CrashRate = 0.02, seed: Seed = 1, batch: Batch = 10) -> Result:
    """Take 200 payments in transactions of ten, crash where the seed says, and count from three points of view.

    deliveries: a row a view: read_committed and read_uncommitted (PaymentTaken in the topic), ledger outside (charges).
    measures: payments, crashes, seconds; and of each view its lost and doubled. Raises SettingError, BrokerError.
    """
    keys, config, begun_s = orders(payments), lab.kafka_config(), time.monotonic()
    plan, trace = crashes.planned(keys, seed, crash_rate), Trace()
    crash_plan = CrashPlan(plan, crashes.crash)
    with ExitStack() as stack:
        ledger = stack.enter_context(closing(Ledger(stack.enter_context(work_dir()) / "ledger.db")))
        broker = stack.enter_context(backend(config, trace))
        broker.publish(placed(keys))
        steps = _Transactions(config, broker, ledger, trace)
        Work(WAY, payments, steps, crash_plan, batch).until_done(steps.reader)
        seen = {
            "read_committed": broker.announced(),
            "read_uncommitted": counts(messages(config, broker.taken, "read_uncommitted")),
            "ledger outside": ledger.counts(),
        }
    predicted = predict(WAY, keys, plan, batch)
    settings = f"{payments} payments in batches of {batch}, seed {seed}"
    return _result(seen, predicted, keys, len(crash_plan.crashed), time.monotonic() - begun_s, settings)


class _Transactions(RealSteps):
    """What handles the events, and the reader whose acknowledgement is the commit of a transaction."""

    def __init__(self, config: Mapping[str, Any], broker: Backend, ledger: Ledger, trace: Trace) -> None:
        super().__init__(ledger, LEDGER, trace, "kafka")
        self._config, self._topics, self._tracer = config, broker, trace
        self._producer: ck.Producer | None = None

    def reader(self) -> "_Reader":
        """A new life: a producer of the same name, so that Kafka aborts what the last one left open."""
        mine = {"transactional.id": f"{self._topics.name}.desk", "retry.backoff.ms": 2, "linger.ms": 0}
        self._producer = ck.Producer({**quiet(self._config), **mine})
        with _guarded():
            self._producer.init_transactions(step_timeout_s())
            self._producer.begin_transaction()
        return _Reader(self._config, self._topics.name, self._tracer, self._producer)

    def handle(self, what: Delivery) -> None:
        """Publish in the transaction, and charge outside of it."""
        assert self._producer
        with _guarded():
            taken = what.event.caused("PaymentTaken", "/shop/payment", {})
            self._producer.produce(self._topics.taken, taken.to_bytes(), taken.subject)
            waiting = self._producer.flush(step_timeout_s())  # so that it is in the log before a crash, open as it is
        if waiting:
            raise BrokerError(f"Kafka has not taken PaymentTaken of {taken.subject}.", CURE)
        super().handle(what)


class _Reader(Reader):
    """A reader that acknowledges by committing its place together with what was published."""

    def __init__(self, config: Mapping[str, Any], topic: str, trace: Trace, producer: ck.Producer) -> None:
        super().__init__(config, topic, trace)
        self._producer = producer

    def ack(self, delivery: Delivery) -> None:
        received, client = delivery.received, self.consumer.client
        place = ck.TopicPartition(received.topic, received.partition, received.offset + 1)
        with _guarded():
            self._producer.send_offsets_to_transaction([place], client.consumer_group_metadata(), step_timeout_s())
            self._producer.commit_transaction(step_timeout_s())
            self._producer.begin_transaction()


@contextmanager
def _guarded() -> Iterator[None]:
    """What Kafka refuses inside is a BrokerError."""
    try:
        yield
    except ck.KafkaException as error:
        raise BrokerError(f"Kafka's transaction failed: {said(error)}.", CURE) from error


def _result(
    seen: Mapping[str, Mapping[str, int]],
    predicted: Counts,
    keys: list[str],
    crashed: int,
    seconds: float,
    settings: str,
) -> Result:
    views = {view: Counts(found, {}, keys) for view, found in seen.items()}
    table = pd.DataFrame(
        [
            {"view": view, "lost": len(one.lost), "doubled": len(one.doubled), "extra": one.extra,
             "predicted_doubled": 0 if view == "read_committed" else len(predicted.doubled)}
            for view, one in views.items()
        ]
    )  # fmt: skip
    measures = {
        "payments": Measure(len(keys), "payments"),
        "crashes": Measure(crashed, "crashes"),
        "seconds": Measure(seconds, "s"),
    }
    for view, one in views.items():
        measures[f"{view}_lost"] = Measure(len(one.lost), "payments")
        measures[f"{view}_doubled"] = Measure(len(one.doubled), "payments")
    doubled = {view: len(one.doubled) for view, one in views.items()}
    sentence = (
        f"Kafka transactions, {crashed} crashes in {len(keys)} payments: PaymentTaken doubled "
        f"{doubled['read_committed']} times for whoever reads committed, "
        f"{doubled['read_uncommitted']} for whoever does not; "
        f"{doubled['ledger outside']} customers charged more than once in the ledger outside."
    )
    provenance = {"broker": lab.brokers("kafka").stamp, "settings": settings}
    return Result(sentence, table, measures, pd.DataFrame(), provenance)
