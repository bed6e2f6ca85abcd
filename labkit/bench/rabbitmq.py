"""labkit's RabbitMQ client against bare `pika`: the same bytes, the same window and prefetch, a row for each step."""

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import orjson
import pika

from labkit.base.names import fresh
from labkit.bench.compare import Comparison, Stopwatch, in_turn, throughput_lines
from labkit.brokers import rabbitmq
from labkit.brokers.rabbitmq.bare import WINDOW, Window
from labkit.events.event import CONTENT_TYPE, Event
from labkit.events.trace import Trace, now_ns

PREFETCH = 100


def throughput(parameters: pika.ConnectionParameters, events: Sequence[Event], rounds: int) -> list[Comparison]:
    """Events a second that are published and confirmed, then consumed and acknowledged one by one; with their rows."""
    dicts = [event.to_dict() for event in events]
    queue = fresh("bench")
    publish, consume = (throughput_lines(f"RabbitMQ: {what} and trace", len(events)) for what in ("publish", "consume"))
    with rabbitmq.temporary_queues(parameters, (queue,)):
        for _ in range(rounds):  # what is published in a round is consumed in it
            in_turn(
                publish,
                lambda: _publish(parameters, queue, events),
                lambda: _bare_publish(parameters, queue, dicts),
                1,
            )
            in_turn(
                consume,
                lambda: _consume(parameters, queue, len(events)),
                lambda: _bare_consume(parameters, queue, len(events)),
                1,
            )
    return [*publish, *consume]


def _publish(parameters: pika.ConnectionParameters, queue: str, events: Sequence[Event]) -> Sequence[float]:
    publisher = rabbitmq.Publisher(parameters, Trace(), "checkout", window=WINDOW)
    watch = Stopwatch()
    for event in events:
        publisher.publish(event, "", queue)
    publisher.flush(60)
    rate = watch.read(len(events))
    publisher.close()
    return rate


def _bare_publish(
    parameters: pika.ConnectionParameters, queue: str, dicts: Sequence[dict[str, Any]]
) -> Sequence[float]:
    publisher = BarePublisher(parameters, queue, dicts, [].append)
    publisher.run()
    return publisher.took


class BarePublisher(Window):
    """What one writes by hand to keep a row for each event that is sent and confirmed."""

    def __init__(
        self,
        parameters: pika.ConnectionParameters,
        queue: str,
        dicts: Sequence[dict[str, Any]],
        add: Callable[[Any], None],
    ) -> None:
        self.stops = bool(dicts)  # else events come one by one, and somebody else closes
        self.queue, self.dicts, self.add = queue, list(dicts), add
        self.ready = threading.Event()
        self.took: Sequence[float] = ()
        super().__init__(parameters, WINDOW)

    def begin(self) -> None:
        self.watch = Stopwatch()
        self.ready.set()

    def send_later(self, event: Event) -> None:
        """One more event, from another thread."""
        self.dicts.append(event.to_dict())
        self.connection.ioloop.add_callback_threadsafe(self.fill)

    def send(self, i: int) -> bool:
        if i >= len(self.dicts):
            return False
        a = self.dicts[i]
        raw = orjson.dumps(a, option=orjson.OPT_UTC_Z)
        self.row("published", a, a["type"])
        properties = pika.BasicProperties(CONTENT_TYPE, delivery_mode=2, message_id=a["id"])
        self.channel.basic_publish("", self.queue, raw, properties, mandatory=True)
        return True

    def confirmed_now(self, i: int) -> None:
        self.row("confirmed", self.dicts[i], "")
        if self.stops and self.confirmed == len(self.dicts):
            self.took = self.watch.read(self.confirmed)
            self.close()

    def row(self, what: str, a: dict[str, Any], note: str) -> None:
        seq = int(a["sequence"])
        self.add((now_ns(), what, a["subject"], seq, a["id"], self.queue, -1, "checkout", "rabbitmq", note))


def _consume(parameters: pika.ConnectionParameters, queue: str, n: int) -> Sequence[float]:
    consumer = rabbitmq.Consumer(parameters, queue, Trace(), "inventory", prefetch=PREFETCH)
    events = consumer.events(idle_s=20)
    watch = Stopwatch()
    for _ in range(n):
        consumer.ack(next(events))
    rate = watch.read(n)
    events.close()  # type: ignore[attr-defined]  # a generator
    consumer.close()
    return rate


def _bare_consume(parameters: pika.ConnectionParameters, queue: str, n: int) -> Sequence[float]:
    connection = pika.BlockingConnection(parameters)
    events = bare_reader(connection.channel(), queue, [].append)
    watch = Stopwatch()
    for _ in range(n):
        next(events)
    rate = watch.read(n)
    connection.close()
    return rate


def bare_reader(channel: Any, queue: str, add: Callable[[Any], None]) -> Iterator[dict[str, Any]]:
    """What one writes by hand to read events, acknowledge them, and keep a row for each step."""
    channel.basic_qos(prefetch_count=PREFETCH)
    for method, _, body in channel.consume(queue, inactivity_timeout=20):
        at = now_ns()
        a = orjson.loads(body)
        seq, name = int(a["sequence"]), a["id"]
        add((at, "received", a["subject"], seq, name, queue, -1, "inventory", "rabbitmq", a["type"]))
        channel.basic_ack(method.delivery_tag)
        add((now_ns(), "acked", a["subject"], seq, name, queue, -1, "inventory", "rabbitmq", ""))
        yield a
