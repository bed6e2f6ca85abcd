"""Kafka's transactions: read, publish and commit the offset, all or nothing. And where their promise ends.

The consumer publishes PaymentTaken for each OrderPlaced, in a transaction together with its offset. It also charges in
its own ledger, which no transaction of Kafka's reaches. It crashes where the seed says; then a producer of the same
name takes over, and Kafka aborts what was open.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import confluent_kafka as ck
import pandas as pd

from labkit import lab
from labkit.base.errors import BrokerError
from labkit.brokers.kafka.topics import CURE, PATIENCE_S, quiet, said
from labkit.events.trace import Trace
from labkit.harness.clearing import cleared
from labkit.harness.kinds import Seed
from labkit.harness.settings import experiment
from labkit.lessons.idempotency import crashes, outcome
from labkit.lessons.idempotency.charging import orders, placed, workshop
from labkit.lessons.idempotency.crashes import Strikes
from labkit.lessons.idempotency.ledger import Ledger
from labkit.lessons.idempotency.paper import Counts, predict
from labkit.lessons.idempotency.reading import Delivery, KafkaReader
from labkit.lessons.idempotency.setting import Batch, CrashRate, Payments
from labkit.lessons.idempotency.side import OnKafka, counts_in
from labkit.lessons.idempotency.steps import ACK, HANDLE, Strategy
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
    strikes = Strikes(plan, crashes.crash)
    with ExitStack() as end:
        books = Ledger(workshop(end) / "ledger.db")
        end.callback(books.close)
        side = OnKafka(config, trace)
        end.enter_context(cleared(side.close))
        side.open(placed(keys))
        desk = _Desk(config, side.name, side.taken, books, trace)
        Work(WAY, payments, desk, strikes, batch).until_done(desk.reader)
        seen = {
            "read_committed": counts_in(config, side.taken),
            "read_uncommitted": counts_in(config, side.taken, "read_uncommitted"),
            "ledger outside": books.counts(),
        }
    paper = predict(WAY, keys, plan, batch)
    return _result(seen, paper, keys, strikes.struck, time.monotonic() - begun_s, f"batches of {batch}, seed {seed}")


class _Desk:
    """What handles the events, and the reader whose acknowledgement is the commit of a transaction."""

    def __init__(self, config: Mapping[str, Any], topic: str, taken: str, books: Ledger, trace: Trace) -> None:
        self._config, self._topic, self._taken, self._books, self._trace = config, topic, taken, books, trace
        self._producer: ck.Producer | None = None

    def reader(self) -> "_Transactional":
        """A new life: a producer of the same name, so that Kafka aborts what the last one left open."""
        mine = {"transactional.id": f"{self._topic}.desk", "retry.backoff.ms": 2, "linger.ms": 0}
        self._producer = ck.Producer({**quiet(self._config), **mine})
        with _guarded():
            self._producer.init_transactions(PATIENCE_S)
            self._producer.begin_transaction()
        return _Transactional(self._config, self._topic, self._trace, self._producer)

    def handle(self, what: Delivery) -> None:
        """Publish in the transaction, and charge outside of it."""
        assert self._producer
        with _guarded():
            taken = what.event.caused("PaymentTaken", "/shop/payment", {})
            self._producer.produce(self._taken, taken.to_bytes(), taken.subject)
            waiting = self._producer.flush(PATIENCE_S)  # so that it is in the log before a crash, open as it is
        if waiting:
            raise BrokerError(f"Kafka has not taken PaymentTaken of {taken.subject} within {PATIENCE_S:g} s.", CURE)
        with self._books.guarded(), self._books.store:
            self._books.charge(what.event.subject, int(what.event.data["cents"]))

    def remembered(self, what: Delivery) -> bool:
        return False

    def remember(self, what: Delivery) -> None:
        raise NotImplementedError

    def once(self, what: Delivery, strike: Callable[[str], None]) -> None:
        raise NotImplementedError

    def publish(self, what: Delivery) -> None:
        raise NotImplementedError


class _Transactional(KafkaReader):
    """A reader that acknowledges by committing its place together with what was published."""

    def __init__(self, config: Mapping[str, Any], topic: str, trace: Trace, producer: ck.Producer) -> None:
        super().__init__(config, topic, f"{topic}.group", trace)
        self._producer = producer

    def ack(self, delivery: Delivery) -> None:
        received, client = delivery.said, self._consumer.client
        place = ck.TopicPartition(received.topic, received.partition, received.offset + 1)
        with _guarded():
            self._producer.send_offsets_to_transaction([place], client.consumer_group_metadata(), PATIENCE_S)
            self._producer.commit_transaction(PATIENCE_S)
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
    paper: Counts,
    keys: list[str],
    struck: dict[str, str],
    seconds: float,
    words: str,
) -> Result:
    counts = {view: Counts(found, {}, keys) for view, found in seen.items()}
    table = pd.DataFrame(
        [
            {"view": view, "lost": len(one.lost), "doubled": len(one.doubled), "extra": one.extra,
             "predicted_doubled": 0 if view == "read_committed" else len(paper.doubled)}
            for view, one in counts.items()
        ]
    )  # fmt: skip
    measures = {
        "payments": Measure(len(keys), "payments"),
        "crashes": Measure(len(struck), "crashes"),
        "seconds": Measure(seconds, "s"),
    }
    for view, one in counts.items():
        measures[f"{view}_lost"] = Measure(len(one.lost), "payments")
        measures[f"{view}_doubled"] = Measure(len(one.doubled), "payments")
    doubled = {view: len(one.doubled) for view, one in counts.items()}
    sentence = (
        f"Kafka transactions, {len(struck)} crashes in {len(keys)} payments: PaymentTaken doubled "
        f"{doubled['read_committed']} times for whoever reads committed, "
        f"{doubled['read_uncommitted']} for whoever does not; "
        f"{doubled['ledger outside']} customers charged more than once in the ledger outside."
    )
    provenance = {"broker": outcome.label("kafka"), "settings": f"{len(keys)} payments in {words}"}
    return Result(sentence, table, measures, pd.DataFrame(), provenance)
