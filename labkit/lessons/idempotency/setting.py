"""What can be turned in a run of lesson 09, checked before anything starts."""

from dataclasses import dataclass
from functools import partial

from labkit.base.errors import LabError
from labkit.harness import checked
from labkit.lessons.idempotency.steps import STRATEGIES, Strategy

BROKERS = ("kafka", "rabbitmq")
NAMES = {"kafka": "Kafka", "rabbitmq": "RabbitMQ"}


class PaymentsError(LabError):
    """A setting of a payments run that cannot be."""

    exit_code = 2


class NotOnOfferError(PaymentsError):
    """This broker has no such thing."""


one_of = partial(checked.one_of, PaymentsError)
whole = partial(checked.whole, PaymentsError)
part = partial(checked.number, PaymentsError, high=1, what="it is a part of all payments")


def on_offer(strategy: str, broker: str) -> None:
    """Raises PaymentsError unless both are known, NotOnOfferError unless the broker has this strategy."""
    one_of("strategy", strategy, STRATEGIES)
    one_of("broker", broker, BROKERS)
    brokers = STRATEGIES[strategy].brokers
    if broker not in brokers:
        raise NotOnOfferError(f"{NAMES[broker]} does not offer “{strategy}”.", f"take broker={brokers[0]!r}")


@dataclass(frozen=True)
class Setting:
    """One way to take payments. Meanings stand at `payments.run`."""

    strategy: str = "work first"
    broker: str = "kafka"
    payments: int = 300
    crash_rate: float = 0.1
    seed: int = 1
    batch: int = 1
    prefetch: int = 20

    def __post_init__(self) -> None:
        on_offer(self.strategy, self.broker)
        whole("seed", self.seed)
        whole("payments", self.payments, 1, 5000)
        whole("batch", self.batch, 1, 1000)
        whole("prefetch", self.prefetch, 1, 1000)
        part("crash_rate", self.crash_rate)
        self._together()

    def _together(self) -> None:
        """What is well each by itself, and not together."""
        if self.strategy == "automatic commit":
            raise PaymentsError(
                "A consumer that is closed in peace commits by itself: only a killed one shows automatic commit.",
                "take `labkit.lessons.idempotency.kill.run(strategy='automatic commit')`",
            )
        if self.batch > 1 and not self.way.acks_last:
            raise PaymentsError(
                f"“{self.strategy}” cannot acknowledge in batches of {self.batch}: it does not acknowledge last.",
                "give batch=1",
            )
        if self.broker == "rabbitmq" and self.batch > self.prefetch:
            raise PaymentsError(
                f"With prefetch {self.prefetch} RabbitMQ hands out no more before an ack, and a batch of {self.batch} "
                "is never full: the consumer would wait for ever.",
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
