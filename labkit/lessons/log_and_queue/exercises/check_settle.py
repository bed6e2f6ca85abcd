"""Five messages for a handler that has to say, of each, what becomes of it: on RabbitMQ, and on a stand-in for it.

order-2 cannot be reserved the first time, order-3 never, and one message is no order.
"""

from typing import TYPE_CHECKING, Any

from labkit.base.wait import until
from labkit.teach.checks.answer import EndlessError, Purse
from labkit.teach.checks.channel import Declared, NamedChannel, Opener, drained
from labkit.teach.checks.consumer import Delivery, StoreAwayError, Story, raised
from labkit.teach.checks.exchange import RefusedError, StandIn

if TYPE_CHECKING:
    from collections.abc import Callable

    import pika

    Settle = Callable[[Any, Any, bytes, Callable[[bytes], None]], Any]

POISON = b"{not json"
GOOD, LATER, NEVER = ("order-1", "order-4"), "order-2", "order-3"
BODIES = (b"order-1", b"order-2", POISON, b"order-3", b"order-4")
RETURNS = 3  # so often may a message come back; then RabbitMQ puts it with the dead letters
QUEUE, DEAD = "stock", "stock.dead"
TIMEOUT_S = 10.0

ACKED, REQUEUED, REJECTED = "acked", "requeued", "rejected"
AWAY = "found the store away"


class Store:
    """`reserve(body)`, and what was done with each message, in its order."""

    def __init__(self, story: Story, never: tuple[str, ...] = (NEVER,)) -> None:
        self._story, self._never, self._away = story, never, {LATER}
        self._purse = Purse()
        self.did: list[str] = []

    def reserve(self, body: bytes) -> None:
        """Reserve stock. Raises StoreAwayError (a ConnectionError) while the store is away, ValueError for no order."""
        self._purse.spend()
        order = bytes(body).decode()
        if body == POISON:
            self.did.append("could not be read")
            raise ValueError(f"{order!r} is no order")
        if order in self._away or order in self._never:
            self._away.discard(order)
            self.did.append(AWAY)
            raise StoreAwayError(f"the store of {order} cannot be reached")
        self._story.reserved.append(order)
        self.did.append("reserved")

    def begin(self) -> list[str]:
        """A new delivery: what is done from here on is its own."""
        self.did = []
        return self.did


class SettlingChannel:
    """pika's channel, which notes what becomes of one message. Settling it twice is what RabbitMQ closes it for."""

    def __init__(self, channel: NamedChannel, tag: int, did: list[str]) -> None:
        self._channel, self._tag, self._did = channel, tag, did

    def basic_ack(self, delivery_tag: int = 0, multiple: bool = False) -> None:
        self._settle(delivery_tag, ACKED)
        self._channel.basic_ack(delivery_tag)

    def basic_nack(self, delivery_tag: int = 0, multiple: bool = False, requeue: bool = True) -> None:
        self._settle(delivery_tag, REQUEUED if requeue else REJECTED)
        self._channel.basic_nack(delivery_tag, requeue=requeue)

    def basic_reject(self, delivery_tag: int = 0, requeue: bool = True) -> None:
        self._settle(delivery_tag, REQUEUED if requeue else REJECTED)
        self._channel.basic_reject(delivery_tag, requeue=requeue)

    def __getattr__(self, verb: str) -> Any:
        return getattr(self._channel, verb)

    def _settle(self, tag: int, how: str) -> None:
        if tag != self._tag or settled(self._did):
            raise RefusedError(
                f"PRECONDITION_FAILED - unknown delivery tag {tag}: it was settled already, or never was"
            )
        self._did.append(how)


def settled(did: list[str] | tuple[str, ...]) -> bool:
    """Whether the broker was told what becomes of a message."""
    return bool({ACKED, REQUEUED, REJECTED} & set(did))


def on_a_stand_in(settle: "Settle") -> Story:
    """What becomes of the five on a RabbitMQ made of dictionaries. Errors of the handler are part of the story."""
    return try_out(settle, StandIn().channel, Declared())


def on_rabbitmq(settle: "Settle", parameters: "pika.ConnectionParameters") -> Story:
    """The same on a real quorum queue with a delivery limit and dead letters. Raises BrokerError."""
    from labkit.teach.checks.rabbitmq import real_names

    with real_names(parameters) as (opener, declared):
        return try_out(settle, opener, declared)


def try_out(settle: "Settle", opener: Opener, declared: Declared) -> Story:
    """Hand out the five, and again what comes back, until each is done, dead, or left as it is."""
    story = Story()
    store = Store(story)
    with opener() as bare:
        channel = NamedChannel(bare, declared)
        _declare(channel, declared)
        for body in BODIES:
            channel.basic_publish("", QUEUE, body)
        until(lambda: _drained(settle, channel, store, story), TIMEOUT_S, "every message is done, dead or left")
        story.dead = drained(channel, DEAD)
    return story


def _declare(channel: NamedChannel, declared: Declared) -> None:
    quorum = {"x-queue-type": "quorum"}
    channel.queue_declare(DEAD, durable=True, arguments=quorum)
    dead = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": declared.real(DEAD)}
    channel.queue_declare(QUEUE, durable=True, arguments={**quorum, **dead, "x-delivery-limit": RETURNS})
    channel.confirm_delivery()


def _drained(settle: "Settle", channel: NamedChannel, store: Store, story: Story) -> bool:
    """Hand out what there is. True when all five are accounted for; dead letters take a moment on a real broker."""
    while True:
        method, _, body = channel.basic_get(QUEUE)
        if method is None:
            break
        did = store.begin()
        try:
            settle(SettlingChannel(channel, method.delivery_tag, did), method, body, store.reserve)
        except (Exception, EndlessError) as problem:
            did.append(raised(problem))
        story.deliveries.append(Delivery(body, tuple(did)))
        if not settled(did):
            story.left.append(body)
    acked = sum(ACKED in one.did for one in story.deliveries)
    dead: int = channel.queue_declare(DEAD, passive=True).method.message_count
    return acked + len(story.left) + dead >= len(BODIES)
