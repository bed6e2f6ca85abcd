"""Probes of RabbitMQ about order and reading; for classic queues, quorum queues and streams."""

from collections.abc import Iterator
from functools import partial
from time import monotonic
from typing import Any

from labkit.base import patience
from labkit.events.event import Event
from labkit.truth import worker
from labkit.truth.cases import ACKED, GIVEN_BACK, HANDLED, TIMEOUT_S, Case, NoEvidenceError, mark, orders
from labkit.truth.judges import FAST, FIRST, LATE, ONE, SECOND, SLOW
from labkit.truth.rabbitmq_steps import FIRST_OFFSET, RabbitSteps

Inbox = list[tuple[str, Event, Any, int]]
"""Who got which event, on which channel, under which tag. Nobody has acknowledged it."""

LINGERS_S = 2.0  # how long a consumer sits on an event to see whether another overtakes it


def key_order(rabbit: RabbitSteps) -> Iterator[Case]:
    queue = rabbit.queue()
    rabbit.send(queue, orders(32, keys=8))
    rabbit.read(queue, ONE, 32)
    yield rabbit.case("one queue, read by one consumer" if not rabbit.stream else "one stream, read by one consumer")


total_order = key_order


def two_consumers(rabbit: RabbitSteps) -> Iterator[Case]:
    _two(rabbit, rabbit.queue(), TIMEOUT_S)
    if rabbit.stream:
        yield rabbit.case("both readers of a stream get every event: they share no work")
        return
    yield rabbit.case("two consumers on one queue, prefetch 1")
    _two(rabbit, rabbit.queue(x_single_active_consumer=True), LINGERS_S)
    yield rabbit.case("with x-single-active-consumer: one works, the other waits", "one is active")


def _two(rabbit: RabbitSteps, queue: str, lingers_s: float) -> None:
    """Whoever gets the first event sits on it, until the other has one or has got none for so long."""
    events = orders(4)
    rabbit.send(queue, events)
    inbox: Inbox = []
    for who in (FIRST, SECOND):
        _listen(rabbit, inbox, who, queue, prefetch=1)
    _until(rabbit, lambda: inbox)
    held = inbox.pop(0)
    _until(rabbit, lambda: inbox, lingers_s)
    pending = [*inbox, held]  # the other's event first, when it got one
    inbox.clear()
    done: list[str] = []
    wanted = len(events) * (2 if rabbit.stream else 1)
    while len(done) < wanted and (pending or _until(rabbit, lambda: inbox)):
        who, event, channel, tag = pending.pop(0) if pending else inbox.pop(0)
        rabbit.row(HANDLED, event, who)
        channel.basic_ack(tag)
        done.append(event.id)


def _listen(
    rabbit: RabbitSteps, inbox: Inbox, who: str, queue: str, prefetch: int, offset: int | str | None = "first"
) -> None:
    """Consume the queue into the inbox, on a channel of its own. offset: where in a stream to begin; None: not said."""
    arguments = {"x-stream-offset": offset} if rabbit.stream and offset is not None else {}
    take = partial(_take, rabbit, inbox, who, queue)
    rabbit.channel(prefetch=prefetch).basic_consume(queue, take, arguments=arguments)


def _take(rabbit: RabbitSteps, inbox: Inbox, who: str, queue: str, channel: Any, method: Any, properties: Any,
          raw: bytes) -> None:  # fmt: skip
    event = Event.from_bytes(raw)
    rabbit.received(event, raw, properties, who, queue, method.redelivered)
    inbox.append((who, event, channel, method.delivery_tag))


def _until(rabbit: RabbitSteps, fact: Any, within_s: float = TIMEOUT_S) -> bool:
    end = monotonic() + patience.seconds(within_s)
    while not fact() and monotonic() < end:
        rabbit.pump()
    return bool(fact())


def put_back(rabbit: RabbitSteps) -> Iterator[Case]:
    """The second of five events is given back once."""
    if rabbit.stream:
        _read_again(rabbit)
        yield rabbit.case("the reader begins again at its offset", "read again")
        _nack(rabbit, 1)
        yield rabbit.case("nack with requeue: a stream does not give it again")
        return
    _nack(rabbit, 1)
    yield rabbit.case("nack with requeue, prefetch 1", "prefetch is 1")
    _nack(rabbit, 10)
    yield rabbit.case("nack with requeue, prefetch 10: the later ones are out already")


def _nack(rabbit: RabbitSteps, prefetch: int) -> None:
    queue, events, behind = rabbit.queue(), orders(5), mark()
    rabbit.send(queue, [*events, behind] if rabbit.stream else events)
    inbox: Inbox = []
    _listen(rabbit, inbox, ONE, queue, prefetch)
    _until(rabbit, lambda: len(inbox) >= min(prefetch, len(events)))
    done: set[str] = set()
    given_back = False
    while len(done) < len(events) and _until(rabbit, lambda: inbox):
        _, event, channel, tag = inbox.pop(0)
        if event.id == behind.id:
            break  # a stream has gone on without it
        if event.seq == 2 and not given_back:
            given_back = True
            rabbit.row(GIVEN_BACK, event, ONE, "nack")
            channel.basic_nack(tag, requeue=True)
            continue
        rabbit.row(HANDLED, event, ONE)
        channel.basic_ack(tag)
        done.add(event.id)


def _read_again(rabbit: RabbitSteps) -> None:
    queue, events = rabbit.queue(), orders(5)
    rabbit.send(queue, events)
    rabbit.read(queue, ONE, 1)
    rabbit.row(GIVEN_BACK, events[1], ONE, "a new consumer from offset 1")
    rabbit.read(queue, ONE, 4, offset=1)


def crash(rabbit: RabbitSteps) -> Iterator[Case]:
    """A process takes three events, acknowledges two, and is killed. Another consumer goes on."""
    if not rabbit.stream:
        queue, events = rabbit.queue(), orders(5)
        rabbit.send(queue, events)
        worker.kill_on_rabbitmq(rabbit, rabbit.url, queue, {})
        rabbit.read(queue, SECOND, 3)
        yield rabbit.case("what it had not acknowledged goes back to the queue")
        return
    for offset, words, short in (
        (2, "the next reader begins at the offset that the first one kept", "offset kept"),
        (None, "the next reader begins where RabbitMQ puts it: at the end", ""),
    ):
        queue, behind = rabbit.queue(), mark()
        rabbit.send(queue, orders(5))
        worker.kill_on_rabbitmq(rabbit, rabbit.url, queue, FIRST_OFFSET)
        _read_from(rabbit, queue, offset, behind)
        yield rabbit.case(words, short)


def _read_from(rabbit: RabbitSteps, queue: str, offset: int | None, behind: Event) -> None:
    """As SECOND, until the event that is sent once the consumer listens."""
    inbox: Inbox = []
    _listen(rabbit, inbox, SECOND, queue, prefetch=10, offset=offset)
    rabbit.send(queue, [behind])
    if not _until(rabbit, lambda: any(event.id == behind.id for _, event, _, _ in inbox)):
        raise NoEvidenceError("The second reader got nothing.", "ask again")


def replay(rabbit: RabbitSteps) -> Iterator[Case]:
    queue, behind = rabbit.queue(), mark()
    rabbit.send(queue, orders(8, keys=4))
    rabbit.read(queue, FIRST, 8)
    rabbit.send(queue, [behind])
    rabbit.read(queue, LATE, 9, behind)
    yield rabbit.case("a new reader of the stream from its first offset" if rabbit.stream else
                      "what is acknowledged has left the queue")  # fmt: skip


def slow_reader(rabbit: RabbitSteps) -> Iterator[Case]:
    """The slow one does not acknowledge its first event before the other has all."""
    if rabbit.stream:
        slow = fast = rabbit.queue()
        exchange = ""
    else:
        exchange, slow, fast = rabbit.exchange(), rabbit.queue(), rabbit.queue()
        rabbit.bind(slow, exchange)
        rabbit.bind(fast, exchange)
    rabbit.send("" if exchange else slow, orders(8, keys=4), exchange=exchange)
    inbox: Inbox = []
    _listen(rabbit, inbox, SLOW, slow, prefetch=1)
    _until(rabbit, lambda: inbox)
    rabbit.read(fast, FAST, 8)
    _, event, channel, tag = inbox.pop(0)
    rabbit.row(HANDLED, event, SLOW)
    channel.basic_ack(tag)
    rabbit.row(ACKED, event, SLOW)
    yield rabbit.case("each service reads the stream for itself" if rabbit.stream else
                      "each service has a queue of its own, bound to one exchange")  # fmt: skip


def nobody(rabbit: RabbitSteps) -> Iterator[Case]:
    noun = "stream" if rabbit.stream else "queue"
    for bound_first, words, short in (
        (True, f"its {noun} was bound before; no consumer yet", "bound before"),
        (False, f"no {noun} was bound yet: confirmed, and gone", ""),
    ):
        exchange, queue, behind = rabbit.exchange(), rabbit.queue(), mark()
        if bound_first:
            rabbit.bind(queue, exchange)
        rabbit.send("", orders(4), exchange=exchange, mandatory=False)
        if not bound_first:
            rabbit.bind(queue, exchange)
        rabbit.send("", [behind], exchange=exchange)
        rabbit.read(queue, LATE, 5, behind)
        yield rabbit.case(words, short)
