"""Lesson 03: eight orders, a log and a queue, and up to four readers. Who reads what?

The lesson's other parts: `orders` (the orders and the table), `processes` (a publisher that is gone, a reader that is
killed), `reading` (what is in a topic).
"""

import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from typing import Annotated

from labkit import lab
from labkit.base import wait
from labkit.base.checkpoint import checkpoint
from labkit.base.errors import BrokerError
from labkit.events.trace import Trace
from labkit.harness.kinds import Each, Flag, OneOf, Whole
from labkit.harness.settings import experiment
from labkit.lessons.log_and_queue.backends import TIMEOUT_S, Backend, Reader
from labkit.lessons.log_and_queue.kafka import Topic
from labkit.lessons.log_and_queue.orders import AGAIN, DEAD, Read, eight, table
from labkit.lessons.log_and_queue.rabbitmq import Queue, Stream
from labkit.measure.result import Measure, Result

KINDS = ("kafka", "queue", "stream")
SHARE, COPY = "share", "copy"
NONE, SLOW, DIES, FAILS = "none", "reader 1 is slow", "reader 1 dies before its first ack", "order 3 always fails"
TROUBLES = (NONE, SLOW, DIES, FAILS)
LATE, FAILING = "late", 3
WORK_S = 0.05  # seconds that a slow reader needs for one order
_NAMES = {"kafka": "Kafka", "rabbitmq": "the queue", "stream": "the stream"}
_PAIRS = {"Kafka | queue": ("kafka", "queue"), "Kafka | stream": ("kafka", "stream"), "all three": KINDS}


@experiment
def run(
    kinds: Annotated[Sequence[str], Each(OneOf(KINDS), control=_PAIRS)] = ("kafka", "queue"),
    readers: Annotated[int, Whole(1, 8, control=(1, 4))] = 2,
    arrangement: Annotated[str, OneOf((SHARE, COPY))] = SHARE,
    late: Annotated[bool, Flag()] = True,
    partitions: Annotated[int, Whole(1, 64, control=(1, 4))] = 2,
    prefetch: Annotated[int, Whole(1, 1000, control=(1, 8))] = 4,
    trouble: Annotated[str, OneOf(TROUBLES)] = NONE,
) -> Result:
    """Publish the eight orders to each of `kinds`, and let all readers read, until everything is done.

    kinds: of KINDS. arrangement: SHARE, one group or one queue for all readers; COPY, one for each. A stream is never
    shared. late: one more reader, who comes when all is read. partitions: of the Kafka topic; the key is the country.
    prefetch: of the queue. trouble: one of TROUBLES; who dies stays dead, and the others that share with it go on with
    its order; one that shares with nobody is started again, as a reader of its own (AGAIN behind its name).
    Takes about 1 s per kind. deliveries: one row per reader and order, also those that were not read (`orders.table`).
    Raises SettingError, BrokerError, NotInTimeError.
    """
    trace, share = Trace(), arrangement == SHARE
    brokers = lab.brokers({"kafka" if kind == "kafka" else "rabbitmq" for kind in kinds})

    def backend(kind: str) -> Backend:
        if kind == "kafka":
            return Topic(brokers.kafka_config(), trace, share, partitions)
        parameters = brokers.rabbitmq_parameters()
        return Queue(parameters, trace, share, prefetch) if kind == "queue" else Stream(parameters, trace)

    rounds = [_Round(backend(kind), trouble) for kind in kinds]
    with ExitStack() as end:
        for one in rounds:
            end.enter_context(one.backend.made())
            end.callback(one.close)
        _read(rounds, [f"reader {i + 1}" for i in range(readers)])
        checkpoint(0.8, "the late reader comes …")
        reads = [read for one in rounds for read in (*one.reads, *([one.backend.late(LATE)] if late else []))]
    looks = dict.fromkeys(read.broker for read in reads)
    about = {
        "brokers": brokers.stamp,
        "how": _how(share, looks),
        "settings": f"{partitions} partition{'s' * (partitions > 1)}, prefetch {prefetch}",
        **({"trouble": trouble} if trouble != NONE else {}),
    }
    deliveries = table(reads)
    measures = {
        f"{read.broker}_{read.reader.replace(' ', '_')}_read": Measure(len(set(read.seqs)), "orders") for read in reads
    }
    measures["again"] = Measure(int((deliveries["times"] > 1).sum()), "orders")
    measures["dead"] = Measure(int((deliveries["end"] == DEAD).sum()), "orders")
    return Result(_sentence(reads, looks), deliveries, measures, provenance=about, trace=trace)


def _read(rounds: "Sequence[_Round]", names: Sequence[str]) -> None:
    """Open everything, publish everywhere, and let all readers work in the same moments. Then they leave."""
    orders = eight()
    for i, one in enumerate(rounds):
        checkpoint(i / len(rounds) / 2, f"{len(names)} readers join …")
        one.open(names)
    for one in rounds:
        one.backend.publish(orders)
    checkpoint(0.5, "eight orders are read …")
    at_work, seqs = list(rounds), {order.seq for order in orders}

    def nothing_is_left() -> bool:
        at_work[:] = [one for one in at_work if not one.step(seqs)]
        return not at_work

    wait.until(nothing_is_left, TIMEOUT_S, "everything is read and answered", every_s=0)
    for one in rounds:
        one.close()
        one.backend.wait_for_dead_letters(sum(len(read.dead) for read in one.reads))


class _Round:
    """All readers of one backend, asked in turn until everything is read and answered."""

    def __init__(self, backend: Backend, trouble: str) -> None:
        self.backend, self.trouble = backend, trouble
        self.readers: list[Reader] = []
        self.reads: list[Read] = []
        self.dead: list[Read] = []  # of readers that have died: at most one
        self.busy_until_s = 0.0  # the slow reader works on an order until then

    def open(self, names: Sequence[str]) -> None:
        self.readers = self.backend.open(names)
        self.reads = [reader.read for reader in self.readers]

    def step(self, orders: set[int]) -> bool:
        """Ask each reader once. True: everything is read and answered."""
        for reader in list(self.readers):
            self._turn(reader)
        alive = [read for read in self.reads if read not in self.dead]
        settled = [set(read.seqs) - read.unsaid | read.dead for read in alive]
        if self.backend.shares:
            return set().union(*settled) == orders
        passed_over = [read.unsaid & set(read.seqs) if self.backend.look == "stream" else set() for read in alive]
        return all(mine | passed == orders for mine, passed in zip(settled, passed_over, strict=True))

    def close(self) -> None:
        readers, self.readers = self.readers, []
        for reader in readers:
            with suppress(BrokerError):
                reader.close()

    def _turn(self, reader: Reader) -> None:
        first = reader.read is self.reads[0]
        slow = first and self.trouble == SLOW
        if (slow and time.monotonic() < self.busy_until_s) or (seq := reader.take()) is None:
            return
        if self.trouble == DIES and first:
            self._die(reader)
        elif self.trouble == FAILS and seq == FAILING:
            reader.read.unsaid.add(seq)
            reader.failed()
        else:
            reader.done()
            reader.read.unsaid.discard(seq)
            self.busy_until_s = time.monotonic() + WORK_S if slow else self.busy_until_s

    def _die(self, reader: Reader) -> None:
        """It has read, and is gone before it said so. Whoever shares with it goes on; or else it is started again."""
        before = reader.read
        before.unsaid.add(before.seqs[-1])
        self.dead.append(before)
        self.readers.remove(reader)
        reader.close()
        if not (self.backend.shares and self.readers):
            again = self.backend.again(before.reader + AGAIN)
            self.readers.append(again)
            self.reads.insert(1, again.read)


def _sentence(reads: Sequence[Read], looks: Iterable[str]) -> str:
    parts = (
        f"{_NAMES[look]} ({', '.join(f'{one.reader}: {len(set(one.seqs))}' for one in reads if one.broker == look)})"
        for look in looks
    )
    return f"Read of 8 orders: {', '.join(parts)}."


def _how(share: bool, looks: Iterable[str]) -> str:
    if not share:
        return "a copy for each reader"
    return "readers share, except the stream's" if "stream" in looks else "readers share"
