"""A broker made of a list, to check a consumer with before it meets a real one. It is a stand-in and says so.

Like a real broker it hands a message out again when nobody has acknowledged it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

TRIES = 3  # how often it hands a message out that is never acknowledged

Reserve = Callable[[str], None]
DeadLetter = Callable[[bytes, str], None]
Ack = Callable[[], None]
Consumer = Callable[[bytes, Reserve, DeadLetter, Ack], object]


class StoreAwayError(ConnectionError):
    """The store could not be reached: a fault that passes."""


@dataclass(frozen=True)
class Delivery:
    """What a consumer did with one message, in its order: "reserved", "dead letter", "acked", "raised …"."""

    raw: bytes
    did: tuple[str, ...]


@dataclass
class Story:
    """What a consumer did with all messages. Every broker, made up or real, tells it like this."""

    deliveries: list[Delivery] = field(default_factory=list)
    reserved: list[str] = field(default_factory=list)  # the orders for which stock was reserved
    dead: list[bytes] = field(default_factory=list)  # the bytes that lie in the dead letters
    left: list[bytes] = field(default_factory=list)  # what nobody acknowledged

    def of(self, raw: bytes) -> list[tuple[str, ...]]:
        """What was done at each delivery of a message."""
        return [one.did for one in self.deliveries if one.raw == raw]

    def error(self, raw: bytes) -> str:
        """The first error that got out of the consumer at this message, in a line; empty when there was none."""
        errors = [word for did in self.of(raw) for word in did if word.startswith("raised")]
        return errors[0].splitlines()[0] if errors else ""


def raised(problem: BaseException) -> str:
    """What `Delivery.did` says of an error that got out of the consumer."""
    return f"raised {type(problem).__name__}: {problem}"


class Redelivery:
    """What a consumer is handed: a way to reserve, to put a message to the dead letters, to acknowledge it.

    away: orders for which the store is away, the first time.
    dead_letter: puts bytes where the broker keeps dead letters.
    """

    def __init__(self, story: Story, away: set[str], dead_letter: Callable[[bytes], None]) -> None:
        self._story, self._away, self._dead_letter = story, away, dead_letter
        self._did: list[str] = []

    def reserve(self, order: str) -> None:
        """Reserve stock for an order. Raises StoreAwayError while the store cannot be reached."""
        if order in self._away:
            self._away.discard(order)
            raise StoreAwayError(f"the store of order {order} cannot be reached")
        self._story.reserved.append(order)
        self._did.append("reserved")

    def dead_letter(self, raw: bytes, why: str) -> None:
        """Keep the bytes where somebody can look at them."""
        self._dead_letter(bytes(raw))
        self._did.append("dead letter")

    def deliver(self, react: Consumer, raw: bytes, acknowledge: Ack) -> bool:
        """Hand one message to the consumer. Returns whether it was acknowledged. Errors of the consumer are kept."""
        self._did = []

        def ack() -> None:
            if "acked" not in self._did:
                acknowledge()
            self._did.append("acked")

        try:
            react(raw, self.reserve, self.dead_letter, ack)
        except Exception as problem:
            self._did.append(raised(problem))
        self._story.deliveries.append(Delivery(raw, tuple(self._did)))
        return "acked" in self._did


def on_a_list(react: Consumer, messages: Sequence[bytes], away: set[str]) -> Story:
    """Hand every message to `react`, and again what it does not acknowledge. A stand-in: nothing is sent anywhere."""
    story = Story()
    redelivery = Redelivery(story, set(away), story.dead.append)
    for raw in messages:
        if not any(redelivery.deliver(react, raw, lambda: None) for _ in range(TRIES)):
            story.left.append(raw)
    return story
