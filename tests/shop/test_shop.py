"""The services by themselves: what they do with an order, and the file each is started with. No broker is needed."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from shop_events import placed

from labkit.base import ports, settings
from labkit.base.errors import SettingError
from labkit.events.event import Event, EventError
from labkit.shop import orders, serve, store
from labkit.shop.analytics import Analytics
from labkit.shop.config import Config
from labkit.shop.inventory import Inventory


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
from labkit.shop import serve, kafka_adapter, rabbitmq_adapter, checkout_page, publish, mailbox, store, inventory
print([name for name in ("pandas", "numpy", "matplotlib", "IPython", "ipywidgets", "rich") if name in sys.modules])
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=settings.course_root())
    assert told.stdout.strip() == "[]", told.stderr


def test_a_port_that_is_taken_is_named() -> None:
    port = ports.free(1)[0]
    with serve.listen(port), pytest.raises(serve.PortError, match=str(port)):
        serve.listen(port)
