"""What can be turned in a run of lesson 08, checked before anything starts."""

from dataclasses import dataclass

from labkit.base.errors import LabError
from labkit.harness import checked
from labkit.lessons.ordering.load import KEYS, LIFE, SHAPES

BROKERS = ("kafka", "rabbitmq")
RETRIES = ("in place", "requeue", "delayed", "parked")
SHARING = ("any worker", "each order its own")
QUEUES = ("classic", "quorum", "quorum, no limit")
READERS = ("takes what comes", "newest wins", "waits for its turn")


class OrderingError(LabError):
    """A setting of an ordering run that cannot be."""

    exit_code = 2


@dataclass(frozen=True)
class Setting:
    """One way to send and to read. Meanings stand at `ordering.run`."""

    broker: str = "kafka"
    key: str = "none"
    partitions: int = 4
    consumers: int = 2
    workers: int = 1
    sharing: str = "any worker"
    prefetch: int = 10
    requeue: float = 0.0
    retry: str = "in place"
    producers: int = 1
    wait_for_ack: bool = False
    linger_ms: float = 5.0
    queue: str = "classic"
    single_active: bool = False
    reader: str = "takes what comes"
    load: str = "rush"
    orders: int = 100
    seed: int = 1

    def __post_init__(self) -> None:
        for name, known in (
            ("broker", BROKERS), ("key", KEYS), ("retry", RETRIES), ("sharing", SHARING), ("queue", QUEUES),
            ("reader", READERS), ("load", tuple(SHAPES)),
        ):  # fmt: skip
            checked.one_of(OrderingError, name, getattr(self, name), known)
        checked.whole(OrderingError, "seed", self.seed)
        for name, high in (("partitions", 64), ("consumers", 16), ("prefetch", 1000), ("producers", 2),
                           ("orders", 5000), ("workers", 1000)):  # fmt: skip
            checked.whole(OrderingError, name, getattr(self, name), 1, high)
        checked.number(OrderingError, "requeue", self.requeue, 1, "it is a part of all events")
        checked.number(OrderingError, "linger_ms", self.linger_ms, 1000)
        self._together()

    def _together(self) -> None:
        """What is well each by itself, and not together."""
        if self.workers * self.consumers > self.events:
            raise OrderingError(
                f"{self.consumers} consumers with {self.workers} workers each, for {self.events} events: most would "
                "have nothing to do.",
                "give fewer workers, or more orders",
            )
        if self.broker == "kafka" and self.retry == "requeue" and self.requeue:
            raise OrderingError(
                "Kafka takes nothing back: a consumer can read again, but not put an event behind the others.",
                'choose retry="in place", "delayed" (a retry topic) or "parked"',
            )

    @property
    def events(self) -> int:
        return self.orders * len(LIFE)

    @property
    def queue_type(self) -> str:
        """As RabbitMQ calls it."""
        return self.queue.partition(",")[0]

    def stamp(self) -> str:
        """The setting in a few words, for the foot of a picture."""
        by = "no key" if self.key == "none" else f"key = {self.key}"
        if self.broker == "kafka":
            where = f"{by}, {_count(self.partitions, 'partition')}, {_count(self.consumers, 'consumer')}"
        else:
            queues = 1 if self.key == "none" else self.partitions
            where = f"{_count(queues, f'{self.queue_type} queue')}, {by}, {_count(self.consumers, 'consumer')}"
            where += f", prefetch {self.prefetch}" + (", single active" if self.single_active else "")
        if self.workers > 1:
            where += f", {self.workers} workers each ({self.sharing})"
        if self.requeue:
            where += f", {100 * self.requeue:g} % fail once, retry {self.retry}"
        if self.producers > 1:
            where += f", {self.producers} producers" + (" that wait for the ack" if self.wait_for_ack else "")
        return f"{where} · {self.events:,} events, {self.orders} orders · load {self.load}, seed {self.seed}"


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" + ("" if n == 1 else "s")
