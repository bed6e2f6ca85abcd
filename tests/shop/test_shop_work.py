"""How a service works on what comes in, and how it tells the broker. No broker is needed."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from shop_events import placed

from labkit.base.errors import BrokerError
from labkit.chaos.faults import Fault, FaultPlan, Faults, Refused
from labkit.events.event import Event, EventError
from labkit.events.trace import Trace, TraceFile
from labkit.shop import publish
from labkit.shop.config import Config
from labkit.shop.publish import RabbitMQPublisher
from labkit.shop.work import Work


class Recorder:
    """A service that only remembers."""

    handles = ("OrderPlaced",)

    def __init__(self) -> None:
        self.seen: list[str] = []

    def handle(self, event: Event, via: str = "") -> str:
        self.seen.append(event.subject)
        return "seen"


def work(tmp_path: Path, plan: FaultPlan | None = None, workers: int = 64) -> tuple[Work, Recorder]:
    service = Recorder()
    return Work(service, TraceFile(tmp_path / "it.jsonl", "it"), Faults("it", plan), workers), service


def words(tmp_path: Path) -> list[str]:
    rows = Trace()
    rows.read_folder(tmp_path)
    return [row.what for row in rows.rows()]


def test_an_event_is_received_takes_effect_and_is_handled_in_that_order(tmp_path: Path) -> None:
    desk, service = work(tmp_path)
    asyncio.run(desk.do(placed().to_bytes(), "kafka"))
    assert service.seen == ["42"]
    assert words(tmp_path) == ["received", "effect", "handled"]
    assert desk.in_work == 0


def test_what_is_not_json_is_refused_with_its_bytes(tmp_path: Path) -> None:
    desk, _ = work(tmp_path)
    with pytest.raises(EventError) as told:
        asyncio.run(desk.do(b"{oops", "kafka"))
    assert told.value.raw == b"{oops"


def test_an_event_of_an_unknown_type_is_refused_with_the_types_that_are_known(tmp_path: Path) -> None:
    desk, service = work(tmp_path)
    raw = Event("OrderPlacd", "/shop/checkout", "42", {}).to_bytes()
    with pytest.raises(EventError) as told:
        asyncio.run(desk.do(raw, "kafka"))
    assert (told.value.field, told.value.raw) == ("type", raw)
    assert "OrderPlaced" in told.value.cure
    assert service.seen == []


def test_a_refused_try_has_no_effect_and_leaves_nobody_in_work(tmp_path: Path) -> None:
    desk, service = work(tmp_path, FaultPlan(before_handle=Fault(refuse=1)))
    with pytest.raises(Refused):
        asyncio.run(desk.do(placed().to_bytes(), "kafka"))
    assert (service.seen, desk.in_work) == ([], 0)
    assert words(tmp_path) == ["received", "failed"]


def test_a_failure_after_the_handling_leaves_the_effect_behind(tmp_path: Path) -> None:
    desk, service = work(tmp_path, FaultPlan(after_handle=Fault(refuse=1)))
    with pytest.raises(Refused):
        asyncio.run(desk.do(placed().to_bytes(), "kafka"))
    assert service.seen == ["42"]
    assert words(tmp_path) == ["received", "effect", "failed"]


def test_each_design_has_workers_of_its_own(tmp_path: Path) -> None:
    """One worker, who never comes back, takes the second order of the same design, and no order of another."""
    desk, service = work(tmp_path, workers=1)

    async def scene() -> None:
        never, at_work = asyncio.Event(), asyncio.Event()

        async def stuck(point: str, key: str, attempt: int = 1) -> None:
            if key == "stuck" and point == "before_handle":
                at_work.set()
                await never.wait()

        desk.faults.act_async = stuck  # type: ignore[method-assign]
        first = asyncio.create_task(desk.do(placed("stuck").to_bytes(), "retries"))
        second = asyncio.create_task(desk.do(placed("same design").to_bytes(), "retries"))
        await at_work.wait()
        await desk.do(placed("other design").to_bytes(), "http")
        assert service.seen == ["other design"]
        assert desk.in_work == 2
        never.set()
        await asyncio.gather(first, second)

    asyncio.run(scene())
    assert service.seen == ["other design", "stuck", "same design"]


class FakeChannel:
    """Takes what is published, and says nothing."""

    def __init__(self) -> None:
        self.published: list[str] = []

    def basic_publish(self, exchange: str, key: str, body: bytes, properties: Any, mandatory: bool) -> None:
        assert mandatory
        self.published.append(properties.message_id)


def rabbitmq(tmp_path: Path) -> RabbitMQPublisher:
    config = Config("checkout", 20_000, str(tmp_path), rabbitmq="amqp://guest:guest@127.0.0.1:20001/")
    publisher = RabbitMQPublisher(config)
    publisher._loop = asyncio.get_running_loop()
    publisher._channel = FakeChannel()  # type: ignore[assignment]
    return publisher


class Frame:
    def __init__(self, tag: int, multiple: bool = False, name: str = "Basic.Ack") -> None:
        self.method = type("Method", (), {"delivery_tag": tag, "multiple": multiple, "NAME": name})


def test_one_confirm_can_stand_for_several_events(tmp_path: Path) -> None:
    async def scene() -> list[Any]:
        publisher = rabbitmq(tmp_path)
        waiting = [asyncio.create_task(publisher.publish(placed(str(i)))) for i in range(3)]
        await asyncio.sleep(0)
        publisher._confirmed(Frame(2, multiple=True))
        await asyncio.gather(*waiting[:2])
        assert not waiting[2].done()
        publisher._confirmed(Frame(3, name="Basic.Nack"))
        return await asyncio.gather(waiting[2], return_exceptions=True)

    (error,) = asyncio.run(scene())
    assert isinstance(error, BrokerError)
    assert "nack" in error.what


def test_an_event_that_no_queue_took_does_not_count_as_confirmed(tmp_path: Path) -> None:
    async def scene() -> list[Any]:
        publisher = rabbitmq(tmp_path)
        waiting = [asyncio.create_task(publisher.publish(placed(str(i)))) for i in range(2)]
        await asyncio.sleep(0)
        returned = type("Properties", (), {"message_id": "1-placed"})
        method = type("Method", (), {"reply_text": "NO_ROUTE", "exchange": "orders", "routing_key": "1"})
        publisher._returned(publisher._channel, method, returned, b"")  # type: ignore[arg-type]
        publisher._confirmed(Frame(2, multiple=True))
        return await asyncio.gather(*waiting, return_exceptions=True)

    good, error = asyncio.run(scene())
    assert good is None
    assert "NO_ROUTE" in error.what


def test_a_broker_that_never_confirms_is_an_error_and_not_an_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "TIMEOUT_S", 0.01)

    async def scene() -> None:
        await rabbitmq(tmp_path).publish(placed())

    with pytest.raises(BrokerError, match="no answer within"):
        asyncio.run(scene())


def test_a_lost_connection_fails_whoever_waits_for_a_confirm(tmp_path: Path) -> None:
    async def scene() -> list[Any]:
        publisher = rabbitmq(tmp_path)
        waiting = asyncio.create_task(publisher.publish(placed()))
        await asyncio.sleep(0)
        publisher._lost()
        return await asyncio.gather(waiting, publisher.publish(placed()), return_exceptions=True)

    lost, away = asyncio.run(scene())
    assert "connection was lost" in lost.what
    assert "not connected" in away.what
