"""What can be turned in a run of lesson 09, checked before anything starts."""

from dataclasses import dataclass
from typing import Annotated

from labkit.base.errors import SettingError
from labkit.harness.kinds import Broker, Number, OneOf, Seed, Whole
from labkit.harness.settings import Settings
from labkit.lessons.idempotency.steps import STRATEGIES, Strategy
from labkit.provision.model import NAMES

COMMIT = "automatic commit"
Way = Annotated[str, OneOf(tuple(STRATEGIES), control=[name for name in STRATEGIES if name != COMMIT])]
CrashRate = Annotated[float, Number(0, 1, unit="%", control=(0.0, 0.3, 0.01))]
Payments = Annotated[int, Whole(1, 5000, control=False)]
Batch = Annotated[int, Whole(1, 1000, control=[1, 5, 10, 20])]


class NotOnOfferError(SettingError):
    """This broker has no such thing."""


def on_offer(strategy: str, broker: str) -> None:
    """Raises NotOnOfferError unless the broker has this strategy."""
    brokers = STRATEGIES[strategy].brokers
    if broker not in brokers:
        raise NotOnOfferError(f"{NAMES[broker]} does not offer “{strategy}”.", f"take broker={brokers[0]!r}")


@dataclass(frozen=True)
class Setting(Settings):
    """One way to take payments. Meanings stand at `idempotency.run`."""

    strategy: Way = "work first"
    broker: Broker = "kafka"
    payments: Payments = 300
    crash_rate: CrashRate = 0.1
    seed: Seed = 1
    batch: Batch = 1
    prefetch: Annotated[int, Whole(1, 1000, control=[1, 20, 100])] = 20
    ledger: str = ""

    def together(self) -> None:
        """What may be each by itself, and not together."""
        on_offer(self.strategy, self.broker)
        if self.strategy == COMMIT:
            raise SettingError(
                "A consumer that is closed in peace commits by itself: only a killed one shows automatic commit.",
                "take `labkit.lessons.idempotency.kill.run(strategy='automatic commit')`",
            )
        if self.batch > 1 and not self.way.acks_last:
            raise SettingError(
                f"“{self.strategy}” cannot acknowledge in batches of {self.batch}: it does not acknowledge last.",
                "give batch=1",
            )
        if self.broker == "rabbitmq" and self.batch > self.prefetch:
            raise SettingError(
                f"With prefetch {self.prefetch} RabbitMQ hands out no more before an ack, and a batch of {self.batch} "
                "is never full: the consumer would wait forever.",
                f"give a prefetch of at least {self.batch}",
            )

    @property
    def way(self) -> Strategy:
        return STRATEGIES[self.strategy]

    @property
    def exact(self) -> bool:
        """Whether the seed alone decides the counts, and no clock."""
        return not self.way.automatic and (not self.way.skips_redelivered or self.prefetch == 1)

    def stamp(self) -> str:
        """The setting in a few words, for the foot of a picture."""
        parts = [f"{self.payments:,} payments", f"crash rate {100 * self.crash_rate:g} %, seed {self.seed}"]
        if self.batch > 1:
            parts.append(f"acknowledged by {self.batch}")
        if self.broker == "rabbitmq":
            parts.append(f"prefetch {self.prefetch}")
        return " · ".join(parts)
