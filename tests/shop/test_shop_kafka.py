"""How a service of the shop reads Kafka: in this process, on a real broker."""

import asyncio
import time
from pathlib import Path

import pytest
from shop_events import placed

from labkit import lab
from labkit.base.names import fresh
from labkit.brokers import kafka
from labkit.brokers.kafka import dead_letters
from labkit.chaos.faults import Faults
from labkit.events.event import Event
from labkit.events.trace import TraceFile
from labkit.shop.config import Config
from labkit.shop.kafka_adapter import KafkaAdapter
from labkit.shop.topology import KafkaTopics
from labkit.shop.work import Work

pytestmark = pytest.mark.usefixtures("brokers")


class Recorder:
    handles = ("OrderPlaced",)

    def __init__(self) -> None:
        self.seen: list[str] = []

    def handle(self, event: Event, via: str = "") -> str:
        self.seen.append(event.subject)
        return "seen"


async def read(config: Config, service: Recorder, rows: TraceFile, upto: int) -> None:
    """Run the service until its group has committed up to this offset."""
    adapter = KafkaAdapter(config, Work(service, rows, Faults("inventory", None)))
    adapter.open()
    try:
        end = time.monotonic() + 30
        while kafka.group_position(config.kafka, config.queue, config.topic).committed.get(0, 0) < upto:
            assert time.monotonic() < end, "the service has committed all"
            await asyncio.sleep(0.05)
    finally:
        adapter.close()


def test_a_tombstone_is_committed_and_poison_is_kept_with_its_key_its_place_and_its_reason(tmp_path: Path) -> None:
    config = Config("inventory", 20_000, str(tmp_path), topic=fresh("orders"), kafka=lab.kafka_config())
    topics = KafkaTopics(config.kafka, config.topic)
    topics.make()
    producer = kafka.Producer(config.kafka)
    producer.client.produce(config.topic, None, "gone")
    producer.client.produce(config.topic, b"{oops", "poison")
    producer.publish(placed("42"), config.topic)
    producer.close()
    service = Recorder()
    asyncio.run(read(config, service, TraceFile(config.trace, config.service), upto=3))
    assert service.seen == ["42"]
    (letter,) = dead_letters.read(config.kafka, config.topic)
    topics.delete()
    assert (letter.raw, letter.key) == (b"{oops", b"poison")
    assert (letter.group, letter.topic, letter.partition, letter.offset) == (config.queue, config.topic, 0, 1)
    assert "not JSON" in letter.reason
