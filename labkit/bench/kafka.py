"""labkit's Kafka client against bare `confluent_kafka`: the same bytes, the same settings, a row for each step."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import confluent_kafka as ck
import orjson

from labkit.base.names import fresh
from labkit.bench.compare import Comparison, Stopwatch, in_turn, throughput_lines
from labkit.brokers import kafka
from labkit.brokers.kafka import bare
from labkit.events.event import Event
from labkit.events.trace import Trace, now_ns

Config = Mapping[str, Any]
_WARM_UP = b"{}"


def throughput(config: Config, events: Sequence[Event], rounds: int) -> list[Comparison]:
    """Events a second that are published and confirmed, then consumed; both with their rows."""
    dicts = [event.to_dict() for event in events]
    topics = [fresh("bench") for _ in range(3)]
    with kafka.temporary_topics(config, dict.fromkeys(topics, 1)):
        publish = in_turn(
            throughput_lines("Kafka: publish and trace", len(events)),
            lambda: _publish(config, topics[0], events),
            lambda: _bare_publish(config, topics[1], dicts),
            rounds,
        )
        _publish(config, topics[2], events, warm_up=False)
        consume = in_turn(
            throughput_lines("Kafka: consume and trace", len(events)),
            lambda: _consume(config, topics[2], len(events)),
            lambda: _bare_consume(config, topics[2], len(events)),
            rounds,
        )
    return [*publish, *consume]


def _publish(config: Config, topic: str, events: Sequence[Event], warm_up: bool = True) -> Sequence[float]:
    producer = kafka.Producer(config, Trace(), "checkout")
    if warm_up:
        producer.client.produce(topic, _WARM_UP)
        producer.flush()
    watch = Stopwatch()
    for event in events:
        producer.publish(event, topic)
    producer.flush(60)
    return watch.read(len(events))


def _bare_publish(config: Config, topic: str, dicts: Sequence[dict[str, Any]]) -> Sequence[float]:
    producer = bare.producer(config)
    producer.produce(topic, _WARM_UP)
    producer.flush()
    send = bare_sender(producer, topic, [].append)
    watch = Stopwatch()
    for attributes in dicts:
        send(attributes)
    producer.flush(60)
    return watch.read(len(dicts))


def bare_sender(producer: ck.Producer, topic: str, add: Callable[[Any], None]) -> Callable[[dict[str, Any]], None]:
    """What one writes by hand to publish an event, keep a row, and keep one more when it is confirmed."""

    def send(a: dict[str, Any]) -> None:
        key, name, seq = a["subject"], a["id"], int(a["sequence"])

        def answered(error: Any, message: ck.Message) -> None:
            what = "failed" if error else "confirmed"
            where = f"{message.topic()}/{message.partition()}"
            add((now_ns(), what, key, seq, name, where, message.offset(), "checkout", "kafka", ""))

        raw = orjson.dumps(a, option=orjson.OPT_UTC_Z)
        add((now_ns(), "published", key, seq, name, topic, -1, "checkout", "kafka", a["type"]))
        while True:
            try:
                producer.produce(topic, raw, key, on_delivery=answered)
                break
            except BufferError:
                producer.poll(0.05)
        producer.poll(0)

    return send


def _consume(config: Config, topic: str, n: int) -> Sequence[float]:
    consumer = kafka.Consumer(config, fresh("bench"), [topic], Trace(), "inventory")
    try:
        return _rate(consumer.events(idle_s=20), n)
    finally:
        consumer.close()


def _bare_consume(config: Config, topic: str, n: int) -> Sequence[float]:
    consumer = bare_consumer(config, topic)
    try:
        return _rate(bare_reader(consumer, [].append), n)
    finally:
        consumer.close()


def _rate(events: Iterator[Any], n: int) -> Sequence[float]:
    next(events)  # by then the group has formed
    watch = Stopwatch()
    for _ in range(n - 1):
        next(events)
    return watch.read(n - 1)


def bare_consumer(config: Config, topic: str) -> ck.Consumer:
    consumer = bare.consumer(config)
    consumer.subscribe([topic])
    return consumer


def bare_reader(consumer: ck.Consumer, add: Callable[[Any], None], idle_s: float = 20) -> Iterator[dict[str, Any]]:
    """What one writes by hand to read events, and to keep a row for each."""
    while (message := consumer.poll(idle_s)) is not None:
        at = now_ns()
        if message.error():
            raise ck.KafkaException(message.error())
        a = orjson.loads(message.value() or b"")
        where = f"{message.topic()}/{message.partition()}"
        seq = int(a["sequence"])
        add((at, "received", a["subject"], seq, a["id"], where, message.offset(), "inventory", "kafka", a["type"]))
        yield a
