"""Lesson 03: eight orders, a log and a queue, and up to four readers. Who reads what?

The lesson's other parts: `orders` (the orders and the table), `processes` (a publisher that is gone, a reader that is
killed), `reading` (what lies in a topic).
"""

import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress

from labkit import lab
from labkit.base.errors import BrokerError, NotInTimeError
from labkit.events.trace import Trace
from labkit.harness.clearing import cleared
from labkit.harness.progress import Progress, go_on
from labkit.lessons.log_and_queue.orders import AGAIN, DEAD, Read, eight, table
from labkit.lessons.log_and_queue.readers import Reader, works
from labkit.lessons.log_and_queue.sides import PATIENCE_S, Queue, Side, Stream, Topic
from labkit.measure.result import Measure, Result

KINDS = ("kafka", "queue", "stream")
SHARE, COPY = "share", "copy"
NONE, SLOW, DIES, FAILS = "none", "reader 1 is slow", "reader 1 dies before its first ack", "order 3 always fails"
TROUBLES = (NONE, SLOW, DIES, FAILS)
LATE, FAILING = "late", 3
WORK_S = 0.05  # seconds that a slow reader needs for one order
_NAMES = {"kafka": "Kafka", "rabbitmq": "the queue", "stream": "the stream"}


def run(
    kinds: Sequence[str] = ("kafka", "queue"),
    readers: int = 2,
    arrangement: str = SHARE,
    late: bool = True,
    partitions: int = 2,
    prefetch: int = 4,
    trouble: str = NONE,
    progress: Progress | None = None,
    cancelled: threading.Event | None = None,
) -> Result:
    """Publish the eight orders to each of `kinds`, and let all readers read, until everything is done.

    kinds: of KINDS. arrangement: SHARE, one group or one queue for all readers; COPY, one for each. A stream is never
    shared. late: one more reader, who comes when all is read. partitions: of the Kafka topic; the key is the country.
    prefetch: of the queue. trouble: one of TROUBLES; who dies stays dead, and the others that share with it go on with
    its order; one that shares with nobody is started again, as a reader of its own (AGAIN behind its name).
    Takes about 1 s per kind. deliveries: one row per reader and order, also those that were not read (`orders.table`).
    Raises ValueError for a word that is none of these.
    """
    _check(kinds, readers, arrangement, trouble)
    trace = Trace()
    names = [f"reader {i + 1}" for i in range(readers)]
    sides = [_side(kind, trace, arrangement == SHARE, partitions, prefetch) for kind in kinds]
    rounds = [_Round(side, trouble) for side in sides]
    with ExitStack() as end:
        for clear in (*(side.delete for side in sides), *(one.close for one in rounds)):  # the last one first
            end.enter_context(cleared(clear))
        _read(rounds, names, progress, cancelled)
        go_on(cancelled, progress, 0.8, "the late reader comes …")
        reads = [read for one in rounds for read in (*one.reads, *([one.side.late(LATE)] if late else []))]
    return _result(reads, trace, arrangement, partitions, prefetch, trouble)


def _read(
    rounds: "Sequence[_Round]", names: Sequence[str], progress: Progress | None, cancelled: threading.Event | None
) -> None:
    """Open everything, publish everywhere, and let all readers work in the same moments. Then they leave."""
    orders = eight()
    for i, one in enumerate(rounds):
        go_on(cancelled, progress, i / len(rounds) / 2, f"{len(names)} readers join …")
        one.open(names)
    for one in rounds:
        one.side.publish(orders)
    go_on(cancelled, progress, 0.5, "eight orders are read …")
    end_s = time.monotonic() + PATIENCE_S
    at_work = list(rounds)
    while at_work:
        go_on(cancelled)
        at_work = [one for one in at_work if not one.step({order.seq for order in orders})]
        if time.monotonic() > end_s:
            raise NotInTimeError(f"{_NAMES[at_work[0].side.look]} was not read within {PATIENCE_S:g} s.", _CURE)
    for one in rounds:
        one.close()
        one.side.buried(sum(len(read.dead) for read in one.reads))


def _check(kinds: Sequence[str], readers: int, arrangement: str, trouble: str) -> None:
    if isinstance(kinds, str) or not kinds or not set(kinds) <= set(KINDS):
        raise ValueError(f"kinds is {kinds!r}; it must be some of {', '.join(KINDS)}, in a list")
    if not 1 <= readers <= 8:
        raise ValueError(f"readers is {readers}; it must be 1 to 8")
    for name, value, known in (("arrangement", arrangement, (SHARE, COPY)), ("trouble", trouble, TROUBLES)):
        if value not in known:
            raise ValueError(f"{name} is {value!r}; it must be one of {', '.join(known)}")


def _side(kind: str, trace: Trace, share: bool, partitions: int, prefetch: int) -> Side:
    if kind == "kafka":
        return Topic(lab.kafka_config(), trace, share, partitions)
    if kind == "queue":
        return Queue(lab.rabbitmq_parameters(), trace, share, prefetch)
    return Stream(lab.rabbitmq_parameters(), trace)


class _Round:
    """All readers of one side, asked in turn until everything is read and answered."""

    def __init__(self, side: Side, trouble: str) -> None:
        self.side, self.trouble = side, trouble
        self.readers: list[Reader] = []
        self.reads: list[Read] = []
        self.dead: list[Read] = []  # of readers that have died: at most one

    def open(self, names: Sequence[str]) -> None:
        self.readers = self.side.open(names)
        self.reads = [reader.read for reader in self.readers]

    def step(self, orders: set[int]) -> bool:
        """Ask each reader once. True: everything is read and answered."""
        for reader in list(self.readers):
            self._turn(reader)
        return self._through(orders)

    def close(self) -> None:
        readers, self.readers = self.readers, []
        for reader in readers:
            with suppress(BrokerError):
                reader.close()

    def _through(self, orders: set[int]) -> bool:
        alive = [read for read in self.reads if read not in self.dead]
        settled = [set(read.seqs) - read.unsaid | read.dead for read in alive]
        passed = [read.unsaid & set(read.seqs) for read in alive if self.side.look == "stream"]
        if self.side.shares:
            return set().union(*settled) == orders
        return all(mine | passed[i] == orders if passed else mine == orders for i, mine in enumerate(settled))

    def _turn(self, reader: Reader) -> None:
        first = reader.read is self.reads[0]
        if time.monotonic() < reader.busy_until_s:
            return
        seq = reader.take()
        if seq is None:
            return
        if self.trouble == DIES and first:
            self._die(reader)
        elif self.trouble == FAILS and seq == FAILING:
            reader.read.unsaid.add(seq)
            reader.failed()
        else:
            reader.done()
            reader.read.unsaid.discard(seq)
            works(reader, WORK_S if self.trouble == SLOW and first else 0)

    def _die(self, reader: Reader) -> None:
        """It has read, and is gone before it said so. Whoever shares with it goes on; or else it is started again."""
        before = reader.read
        before.unsaid.add(before.seqs[-1])
        self.dead.append(before)
        self.readers.remove(reader)
        reader.close()
        if not (self.side.shares and self.readers):
            again = self.side.again(before.reader + AGAIN)
            self.readers.append(again)
            self.reads.insert(1, again.read)


_CURE = "look at `python -m labkit status`; a very busy machine may need a second try"


def _result(
    reads: Sequence[Read], trace: Trace, arrangement: str, partitions: int, prefetch: int, trouble: str
) -> Result:
    deliveries = table(reads)
    measures = {
        f"{read.broker}_{read.reader.replace(' ', '_')}_read": Measure(len(set(read.seqs)), "orders") for read in reads
    }
    again = int((deliveries["times"] > 1).sum())
    measures["again"] = Measure(again, "orders")
    measures["dead"] = Measure(int((deliveries["end"] == DEAD).sum()), "orders")
    looks = dict.fromkeys(read.broker for read in reads)
    parts = [
        ", ".join(f"{read.reader}: {len(set(read.seqs))}" for read in reads if read.broker == look) for look in looks
    ]
    text = ", ".join(f"{_NAMES[look]} ({part})" for look, part in zip(looks, parts, strict=True))
    about = {
        "brokers": lab.stamp(),
        "how": _how(arrangement, looks),
        "settings": f"{partitions} partition{'s' * (partitions > 1)}, prefetch {prefetch}",
        "trouble": trouble if trouble != NONE else "",
    }
    return Result(
        f"Read of 8 orders: {text}.",
        deliveries,
        measures,
        provenance={k: v for k, v in about.items() if v},
        trace=trace,
    )


def _how(arrangement: str, looks: Iterable[str]) -> str:
    if arrangement == COPY:
        return "a copy for each reader"
    return "readers share, except the stream's" if "stream" in looks else "readers share"
