"""The services by themselves: what they do with an order, and with what is none. No broker is needed."""

import asyncio
import json
import smtplib
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from email.message import Message
from email.mime.text import MIMEText
from pathlib import Path
from typing import Any

import pytest

from labkit.base import ports, settings, wait
from labkit.base.errors import BrokerError, SettingError
from labkit.chaos.faults import Fault, FaultPlan, Faults, Refused
from labkit.events.event import Event, EventError
from labkit.events.trace import Trace, TraceFile
from labkit.shop import mailbox, orders, publish, serve, store
from labkit.shop.analytics import Analytics
from labkit.shop.config import Config
from labkit.shop.inventory import Inventory
from labkit.shop.kafka_face import Progress
from labkit.shop.notification import Notification, Postman
from labkit.shop.publish import RabbitMQPublisher
from labkit.shop.work import Work


def placed(subject: str = "42") -> Event:
    lines = [{"product": "milk", "quantity": 2}, {"product": "bread", "quantity": 1}]
    data = {"order": subject, "household": "7", "store": "3", "total_cents": 450, "lines": lines}
    return Event("OrderPlaced", "/shop/checkout", subject, data, id=f"{subject}-placed", seq=1)


def test_inventory_reserves_every_line_and_says_when() -> None:
    inventory = Inventory(store.connect(":memory:"), clock=lambda: 77)
    assert inventory.handle(placed(), "kafka") == "3 pieces reserved"
    assert inventory.store.execute("SELECT order_id, via, pieces, at_ns FROM reservations").fetchall() == [
        ("42", "kafka", 3, 77)
    ]
    assert dict(inventory.store.execute("SELECT product, reserved FROM stock")) == {"milk": 2, "bread": 1}


def test_inventory_reserves_the_same_order_twice_when_it_is_asked_twice() -> None:
    inventory = Inventory(store.connect(":memory:"), clock=lambda: 0)
    inventory.handle(placed())
    inventory.handle(placed())
    assert dict(inventory.store.execute("SELECT product, reserved FROM stock")) == {"milk": 4, "bread": 2}


def test_an_order_with_a_line_that_names_no_product_is_refused_whole_with_the_fields_name() -> None:
    inventory = Inventory(store.connect(":memory:"), clock=lambda: 0)
    bad = Event("OrderPlaced", "/shop/checkout", "42", {"lines": [{"product": "milk", "quantity": 1}, {"quantity": 1}]})
    with pytest.raises(EventError) as told:
        inventory.handle(bad)
    assert told.value.field == "data.lines"
    assert told.value.raw == bad.to_bytes()
    assert inventory.store.execute("SELECT count(*) FROM stock").fetchone() == (0,)


def test_inventory_publishes_that_stock_is_reserved_as_caused_by_the_order() -> None:
    published: list[Event] = []
    Inventory(store.connect(":memory:"), clock=lambda: 0, publish=published.append).handle(placed())
    assert [(event.type, event.causation_id, event.subject) for event in published] == [
        ("StockReserved", "42-placed", "42")
    ]


def test_analytics_writes_the_sale_down_with_its_sum() -> None:
    analytics = Analytics(store.connect(":memory:"), clock=lambda: 5)
    analytics.handle(placed(), "http")
    assert analytics.store.execute("SELECT order_id, via, store, total_cents, at_ns FROM sales").fetchall() == [
        ("42", "http", "3", 450, 5)
    ]


def test_every_order_of_the_data_file_can_be_reserved_and_sold() -> None:
    inventory, analytics = (
        Inventory(store.connect(":memory:"), clock=lambda: 0),
        Analytics(store.connect(":memory:"), clock=lambda: 0),
    )
    found = orders.load()
    for order in found:
        event = Event.from_dict(order.placed_event())
        inventory.handle(event)
        analytics.handle(event)
    assert inventory.store.execute("SELECT count(*) FROM reservations").fetchone() == (len(found),)
    assert analytics.store.execute("SELECT sum(total_cents) FROM sales").fetchone() == (
        sum(order.total_cents for order in found),
    )


class MailServer:
    """The lab's mail server in a thread of the test."""

    def __init__(self, port: int, path: Path) -> None:
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(port, path))
        self._thread.start()
        self._ready.wait(10)

    def _run(self, port: int, path: Path) -> None:
        server = self._loop.run_until_complete(mailbox.serve(serve.listen(port), path))
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):  # the open connections
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)


@pytest.fixture
def mail(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    port, path = ports.free(1)[0], tmp_path / "mails.jsonl"
    server = MailServer(port, path)
    yield port, path
    server.close()


def test_notification_sends_a_real_mail_that_can_be_read(mail: tuple[int, Path]) -> None:
    port, path = mail
    Notification(Postman(port).send).handle(placed(), "rabbitmq")
    (found,) = mailbox.read(path)
    assert (found.to, found.subject) == ("household-7@example.org", "Your order 42")
    assert "over 4.50" in found.text
    assert (found.order, found.event_id, found.via) == ("42", "42-placed", "rabbitmq")


def test_an_empty_mailbox_has_no_mails(tmp_path: Path) -> None:
    assert mailbox.read(tmp_path / "none.jsonl") == []


def test_a_mail_that_is_half_written_is_not_read_yet(mail: tuple[int, Path]) -> None:
    port, path = mail
    Notification(Postman(port).send).handle(placed())
    path.write_bytes(path.read_bytes() + b'{"at_ns": 1, "to"')
    assert len(mailbox.read(path)) == 1


def test_the_postman_connects_again_when_the_connection_has_broken(mail: tuple[int, Path]) -> None:
    port, path = mail
    postman = Postman(port)
    notification = Notification(postman.send)
    notification.handle(placed("1"))
    postman._mine.smtp.sock.shutdown(socket.SHUT_RDWR)
    notification.handle(placed("2"))
    assert [found.order for found in mailbox.read(path)] == ["1", "2"]


def test_without_a_mail_server_the_mail_is_an_error_and_not_a_silence() -> None:
    with pytest.raises((OSError, smtplib.SMTPException)):
        Postman(ports.free(1)[0]).send(MIMEText("lost?"))


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


def test_kafka_is_told_only_how_far_all_is_done() -> None:
    progress = Progress(10)
    for offset in (10, 11, 12, 13):
        progress.begin(offset)
    assert progress.finish(11) is None  # 10 is still in work
    assert progress.finish(10) == 12
    assert progress.finish(13) is None
    assert progress.finish(12) == 14


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
    assert "refused" in error.what


def test_an_event_that_no_queue_took_does_not_count_as_confirmed(tmp_path: Path) -> None:
    async def scene() -> list[Any]:
        publisher = rabbitmq(tmp_path)
        waiting = [asyncio.create_task(publisher.publish(placed(str(i)))) for i in range(2)]
        await asyncio.sleep(0)
        returned = type("Properties", (), {"message_id": "1-placed"})
        method = type("Method", (), {"reply_text": "NO_ROUTE"})
        publisher._returned(publisher._channel, method, returned, b"")  # type: ignore[arg-type]
        publisher._confirmed(Frame(2, multiple=True))
        return await asyncio.gather(*waiting, return_exceptions=True)

    good, error = asyncio.run(scene())
    assert good is None
    assert "NO_ROUTE" in error.what


def test_a_broker_that_never_confirms_is_an_error_and_not_an_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "PATIENCE_S", 0.01)

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


def test_a_services_file_comes_back_as_it_was_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    config = Config("inventory", 20_000, str(tmp_path), kafka={"bootstrap.servers": "127.0.0.1:1"}, workers=3)
    config.write(tmp_path / "it.json")
    assert Config.read(tmp_path / "it.json") == config
    assert (tmp_path / "it.json").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"service": "inventry"}, "service"),
        ({"port": 0}, "port"),
        ({"port": "20000"}, "port"),
        ({"workers": 0}, "workers"),
        ({"kafka": "127.0.0.1:9092"}, "kafka"),
    ],
)
def test_a_services_file_with_a_wrong_value_is_refused_with_the_fields_name(
    tmp_path: Path, change: dict[str, Any], named: str
) -> None:
    told = {"service": "inventory", "port": 20_000, "folder": str(tmp_path)} | change
    (tmp_path / "it.json").write_text(json.dumps(told))
    with pytest.raises(SettingError, match=f"service's {named} is"):
        Config.read(tmp_path / "it.json")


def test_a_services_file_that_is_not_json_or_has_unknown_fields_is_refused(tmp_path: Path) -> None:
    for text in ("{", "[]", '{"service": "inventory", "port": 20000, "folder": "x", "colour": "red"}'):
        (tmp_path / "it.json").write_text(text)
        with pytest.raises(SettingError):
            Config.read(tmp_path / "it.json")


def test_a_service_process_loads_nothing_heavy() -> None:
    code = """
import sys
from labkit.shop import serve, kafka_face, rabbitmq_face, checkout_page, publish, mailbox, store, inventory
print([name for name in ("pandas", "numpy", "matplotlib", "IPython", "ipywidgets", "rich") if name in sys.modules])
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=settings.course_root())
    assert told.stdout.strip() == "[]", told.stderr


def test_a_port_that_is_taken_is_named() -> None:
    port = ports.free(1)[0]
    with serve.listen(port), pytest.raises(serve.PortError, match=str(port)):
        serve.listen(port)


def test_a_sent_mail_is_safe_before_the_sender_is_told(mail: tuple[int, Path]) -> None:
    port, path = mail
    send: Any = Postman(port).send
    message: Message = MIMEText("hello")
    message["From"], message["To"] = "a@example.org", "b@example.org"
    send(message)
    assert wait.until(lambda: mailbox.read(path), 0.001, "the mail is there")
