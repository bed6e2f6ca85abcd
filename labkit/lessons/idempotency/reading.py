"""What one life of a consumer needs, on either broker: take, acknowledge, and be gone without a word.

Closing without an acknowledgement is what a crash looks like to a broker: what was not acknowledged comes again, from
the group's committed offset (Kafka), from the queue (RabbitMQ). `kill` proves that a real kill gives the same counts.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from labkit.events.event import Event

TIMEOUT_S = 10.0  # that a broker may send nothing, on a quiet machine


@dataclass(slots=True)
class Delivery:
    """An event that a consumer holds. received: the broker's own form of it. handled: writes that the effect stays."""

    event: Event
    redelivered: bool
    received: Any
    handled: Callable[[], None]


class Reader(Protocol):
    """One life of the consumer."""

    def deliveries(self) -> Iterator[Delivery | None]:
        """Events as they come, and perhaps None while none comes. Raises BrokerError when none comes any more."""
        ...

    def ack(self, delivery: Delivery) -> None:
        """This event and all before it are done."""
        ...

    def close(self) -> None: ...


class Backend:
    """The broker's part of a run. name: of the topic or queue with the payments in it. taken: for PaymentTaken.

    publish: hands an event to the broker's client. flush: until all is confirmed. reader(prefetch, automatic): a
    consumer that begins where the last one has acknowledged; automatic: RabbitMQ forgets what it has sent. messages:
    what is in a topic or queue now.
    """

    def __init__(
        self,
        name: str,
        publish: Callable[[Event, str], object],
        flush: Callable[[], object],
        reader: Callable[[int, bool], Reader],
        messages: Callable[[str], Iterable[bytes]],
    ) -> None:
        self.name, self.taken = name, f"{name}.taken"
        self._publish, self._flush, self._reader, self._messages = publish, flush, reader, messages

    def publish(self, events: Sequence[Event]) -> None:
        """Put the events there, and return when they are confirmed. Raises BrokerError."""
        for event in events:
            self._publish(event, self.name)
        self._flush()

    def reader(self, prefetch: int = 20, automatic: bool = False) -> Reader:
        """The next life of the consumer. Raises BrokerError."""
        return self._reader(prefetch, automatic)

    def announce(self, event: Event) -> None:
        """Publish PaymentTaken, and return when it is confirmed. Raises BrokerError."""
        self._publish(event.caused("PaymentTaken", "/shop/payment", {}), self.taken)
        self._flush()

    def announced(self) -> dict[str, int]:
        """order -> how many PaymentTaken there are. RabbitMQ gives them away. Raises BrokerError."""
        return counts(self._messages(self.taken))


def counts(messages: Iterable[bytes]) -> dict[str, int]:
    """order -> how many of these messages are an event of it."""
    return dict(Counter(Event.from_bytes(one).subject for one in messages))
