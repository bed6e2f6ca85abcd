"""What can be set in a run of lesson 08, declared once: checks, panel controls and stamps come from it."""

from dataclasses import dataclass
from typing import Annotated

from labkit.base.errors import SettingError
from labkit.harness.kinds import Broker, Flag, Number, OneOf, Seed, Whole
from labkit.harness.settings import Settings
from labkit.lessons.ordering.load import KEYS, LIFE, FirstTryFails, Load, Orders

RETRIES = ("in place", "requeue", "delayed", "parked")
DISPATCH = ("any worker", "by key")
QUEUES = ("classic", "quorum", "quorum, no limit")
READERS = ("takes what comes", "newest wins", "waits for its turn")


@dataclass(frozen=True)
class Setting(Settings):
    """One way to send and to read. What the fields mean: see `ordering.run`."""

    broker: Broker = "kafka"
    key: Annotated[str, OneOf(KEYS, control=list(reversed(KEYS)))] = "none"
    partitions: Annotated[int, Whole(1, 64, label="partitions, or queues", control=(1, 8))] = 4
    consumers: Annotated[int, Whole(1, 16, control=(1, 4))] = 2
    workers: Annotated[int, Whole(1, 1000, label="workers each", control=(1, 8))] = 1
    prefetch: Annotated[int, Whole(1, 1000, label="prefetch (RabbitMQ)", control=(1, 50))] = 10
    first_try_fails: FirstTryFails = 0.0
    load: Load = "rush"
    seed: Seed = 1
    dispatch: Annotated[str, OneOf(DISPATCH, control=False)] = "any worker"
    retry: Annotated[str, OneOf(RETRIES, control=False)] = "in place"
    producers: Annotated[int, Whole(1, 2, control=False)] = 1
    wait_for_ack: Annotated[bool, Flag(control=False)] = False
    linger_ms: Annotated[float, Number(0, 1000, control=False)] = 5.0
    queue: Annotated[str, OneOf(QUEUES, control=False)] = "classic"
    single_active: Annotated[bool, Flag(control=False)] = False
    reader: Annotated[str, OneOf(READERS, control=False)] = "takes what comes"
    orders: Orders = 100

    def together(self) -> None:
        """Raise SettingError for what each may be by itself, and not together."""
        if self.workers * self.consumers > self.events:
            raise SettingError(
                f"{self.consumers} consumers with {self.workers} workers each, for {self.events} events: most would "
                "have nothing to do.",
                "give fewer workers, or more orders",
            )
        if self.broker == "kafka" and self.retry == "requeue" and self.first_try_fails:
            raise SettingError(
                "Kafka takes nothing back: a consumer can read again, but not put an event behind the others.",
                'choose retry="in place", "delayed" (a retry topic) or "parked"',
            )

    @property
    def events(self) -> int:
        return self.orders * len(LIFE)

    @property
    def takes_detours(self) -> bool:
        """Whether events that fail go to a retry topic, or by way of the dead letters."""
        return self.first_try_fails > 0 and self.retry in ("delayed", "parked")

    def stamp(self) -> str:
        """The setting in a few words, for the foot of a picture."""
        by = "no key" if self.key == "none" else f"key = {self.key}"
        if self.broker == "kafka":
            where = f"{by}, {_count(self.partitions, 'partition')}, {_count(self.consumers, 'consumer')}"
        else:
            queues, kind = 1 if self.key == "none" else self.partitions, self.queue.partition(",")[0]
            where = f"{_count(queues, f'{kind} queue')}, {by}, {_count(self.consumers, 'consumer')}"
            where += f", prefetch {self.prefetch}" + (", single active" if self.single_active else "")
        if self.workers > 1:
            where += f", {self.workers} workers each ({self.dispatch})"
        if self.first_try_fails:
            where += f", {100 * self.first_try_fails:g} % fail once, retry {self.retry}"
        if self.producers > 1:
            where += f", {self.producers} producers" + (" that wait for the ack" if self.wait_for_ack else "")
        return f"{where} · {self.events:,} events, {self.orders} orders · load {self.load}, seed {self.seed}"


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" + ("" if n == 1 else "s")
