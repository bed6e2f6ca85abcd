"""Probes of RabbitMQ about sending and time; for classic queues, quorum queues and streams."""

from collections.abc import Iterator
from typing import Any

import pika
from pika.exceptions import AMQPError, ChannelClosedByBroker

from labkit.base import patience
from labkit.chaos.wire import Wire
from labkit.events.event import Event
from labkit.events.trace import DUE, now_ns
from labkit.truth.cases import FAILED, PUBLISHED, TIMEOUT_S, Case, mark, orders
from labkit.truth.judges import LATE, ONE, SHORT_LIVED, URGENT
from labkit.truth.rabbitmq_steps import RabbitSteps, reason

WAITS_MS = 300  # how long an event waits in the waiting queue
FAR_MS = 5000  # due in a future that is too far for a busy machine to get there by chance
LIMIT = 16 * 1024 * 1024  # bytes: RabbitMQ 4's max_message_size


def unroutable(rabbit: RabbitSteps) -> Iterator[Case]:
    for mandatory, words, short in (
        (True, "published with mandatory=True", "mandatory"),
        (False, "without it: confirmed, and gone", ""),
    ):
        exchange = rabbit.exchange("direct")
        rabbit.bind(rabbit.queue(), exchange, "paid")
        rabbit.send("placed", orders(1), exchange=exchange, mandatory=mandatory)
        yield rabbit.case(words, short)


def retry_twice(rabbit: RabbitSteps) -> Iterator[Case]:
    """The confirm is lost with the connection. The sender cannot know, and publishes again."""
    queue, behind = rabbit.queue(), mark()
    (event,) = orders(1)
    _publish_and_lose_the_confirm(rabbit, queue, event)
    rabbit.send(queue, [event], "again")
    rabbit.send(queue, [behind])
    rabbit.read(queue, LATE, 9, behind)
    yield rabbit.case("the connection broke before the confirm came, and the sender published again")


def _publish_and_lose_the_confirm(rabbit: RabbitSteps, queue: str, event: Event) -> None:
    """Publish over a wire that is cut once RabbitMQ has answered. A row says what the sender heard."""
    parameters = pika.URLParameters(rabbit.url)
    raw = event.to_bytes()
    with Wire(parameters.host, parameters.port) as wire:
        parameters.host, parameters.port = wire.host, wire.port
        channel = pika.BlockingConnection(parameters).channel()
        channel.confirm_delivery()
        wire.lose_the_answer_to([event.id])
        rabbit.row(PUBLISHED, event, "checkout", "", queue, len(raw))
        try:
            channel.basic_publish("", queue, raw, pika.BasicProperties(delivery_mode=2))
        except AMQPError:
            rabbit.row(FAILED, event, "checkout", "no confirm", queue)


def large(rabbit: RabbitSteps) -> Iterator[Case]:
    for size, words, short in (
        (LIMIT, "up to 16 MiB, RabbitMQ's max_message_size", "up to 16 MiB"),
        (LIMIT + 1, "one byte more", ""),
    ):
        queue, event = rabbit.queue(), _of_size(size)
        rabbit.send(queue, [event])
        if not any(row.what == FAILED for row in rabbit.trace.rows()):
            rabbit.read(queue, ONE, 1)
        yield rabbit.case(words, short)


def _of_size(size: int) -> Event:
    """An event that takes exactly so many bytes."""
    small = Event("OrderPlaced", "/shop/checkout", "order-1", {"note": ""}, seq=1)
    data = {"note": "x" * (size - len(small.to_bytes()))}
    return Event(small.type, small.source, small.subject, data, small.id, small.time, seq=1)


def delay(rabbit: RabbitSteps) -> Iterator[Case]:
    """The event waits in a queue that nobody reads. When its time there is over, it is dead-lettered to where it is
    wanted."""
    waiting = "classic" if rabbit.stream else rabbit.kind
    queue = rabbit.queue()
    room = rabbit.queue(waiting, x_dead_letter_exchange="", x_dead_letter_routing_key=queue)
    _due(rabbit, room, queue, WAITS_MS, expiration=str(WAITS_MS))
    kind = "a classic queue" if rabbit.stream else "a queue"
    yield rabbit.case(f"by way of {kind} that nobody reads, with a time to live and dead letters to the real one",
                      "via a queue")  # fmt: skip
    queue = rabbit.queue()
    _due(rabbit, queue, queue, FAR_MS, headers={"x-delay": FAR_MS})
    yield rabbit.case("sent straight to it: a header with a delay changes nothing")


def _due(rabbit: RabbitSteps, to: str, arrives_in: str, after_ms: int, **properties: Any) -> None:
    (event,) = orders(1)
    rabbit.row(DUE, event, "checkout", t_ns=now_ns() + after_ms * 1_000_000)
    rabbit.send(to, [event], **properties)
    rabbit.read(arrives_in, ONE, 1)


def priority(rabbit: RabbitSteps) -> Iterator[Case]:
    """Five events and an urgent one behind them wait for their consumer."""
    queue = rabbit.queue()
    _backlog(rabbit, queue, 0, 9)
    yield rabbit.case(*{
        "classic": ("in a queue that was declared without x-max-priority", ""),
        "quorum": ("priority 9 before 0: a quorum queue knows two levels", "higher level"),
        "stream": ("a stream is read in the order of its offsets", ""),
    }[rabbit.kind])  # fmt: skip
    if rabbit.kind == "classic":
        _backlog(rabbit, rabbit.queue(x_max_priority=9), 0, 9)
        yield rabbit.case("in a queue declared with x-max-priority", "x-max-priority")
    if rabbit.kind == "quorum":
        _backlog(rabbit, rabbit.queue(), 5, 9)
        yield rabbit.case("priority 9 before 5: they are of one level")


def _backlog(rabbit: RabbitSteps, queue: str, usual: int, urgent: int) -> None:
    events = orders(6)
    rabbit.send(queue, events[:5], priority=usual)
    rabbit.send(queue, events[5:], URGENT, priority=urgent)
    rabbit.read(queue, ONE, 6)


def expiry(rabbit: RabbitSteps) -> Iterator[Case]:
    if rabbit.stream:
        yield from _old_segments(rabbit)
    queue, behind = rabbit.queue(), mark()
    rabbit.send(queue, orders(1), SHORT_LIVED, expiration="100")
    rabbit.until_time(now_ns() + 200_000_000)
    rabbit.send(queue, [behind])
    rabbit.read(queue, LATE, 2, behind)
    yield rabbit.case("a stream takes no notice of the event's own expiration" if rabbit.stream else
                      "the event's own expiration")  # fmt: skip


def _old_segments(rabbit: RabbitSteps) -> Iterator[Case]:
    """A stream forgets whole segments, and looks when it begins a new one."""
    try:
        queue = rabbit.queue(x_max_age="1s", x_stream_max_segment_size_bytes=1000)
    except ChannelClosedByBroker as error:
        (event,) = orders(1)
        rabbit.row(PUBLISHED, event, "checkout", SHORT_LIVED)
        rabbit.row(FAILED, event, "checkout", reason(error))
        yield rabbit.case("a time for the whole stream, x-max-age")
        return
    (event,), behind = orders(1), mark()
    rabbit.send(queue, [event], SHORT_LIVED)
    _fill(rabbit, queue)  # its segment is full: nothing younger keeps it
    rabbit.until_time(now_ns() + 1_200_000_000)
    end = now_ns() + int(patience.seconds(TIMEOUT_S) * 1e9)
    while now_ns() < end and rabbit.oldest(queue) == event.id:
        _fill(rabbit, queue)
    rabbit.send(queue, [behind])
    rabbit.read(queue, LATE, 99_999, behind)
    yield rabbit.case("a time for the whole stream, x-max-age, in whole segments", "whole stream")


def _fill(rabbit: RabbitSteps, queue: str) -> None:
    rabbit.send(queue, [mark() for _ in range(10)])
