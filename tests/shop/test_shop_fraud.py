"""Fraud detection by itself, and the storefront that has never heard of it. No broker is needed."""

import asyncio
import inspect
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request

from labkit.base.errors import BrokerError, SettingError
from labkit.events.event import Event
from labkit.events.trace import Trace
from labkit.shop import orders, publish, store, storefront
from labkit.shop.config import SUBSCRIBERS, Config
from labkit.shop.fraud import LIMIT_CENTS, MINUTE_NS, Fraud
from labkit.shop.storefront import Storefront


def placed(subject: str, cents: int = 450, household: str = "7") -> Event:
    return Event("OrderPlaced", "/shop/storefront", subject, {"household": household, "total_cents": cents})


def test_fraud_flags_an_order_above_the_limit_and_writes_every_verdict_down() -> None:
    fraud = Fraud(store.connect(":memory:"), clock=lambda: 77)
    assert fraud.handle(placed("1", LIMIT_CENTS), "kafka") == "fine"
    assert fraud.handle(placed("2", LIMIT_CENTS + 1, "8"), "kafka") == "flagged: more than 100"
    assert fraud.store.execute("SELECT order_id, via, at_ns FROM checks").fetchall() == [
        ("1", "kafka", 77),
        ("2", "kafka", 77),
    ]


def test_the_third_order_of_a_household_within_a_minute_is_flagged() -> None:
    fraud = Fraud(store.connect(":memory:"), clock=lambda: 5)
    verdicts = [fraud.handle(placed(order), "kafka") for order in ("1", "2", "3")]
    assert verdicts == ["fine", "fine", "flagged: order 3 of the household within a minute"]
    assert fraud.handle(placed("4", household="8"), "kafka") == "fine"


def test_an_order_that_is_older_than_a_minute_does_not_count() -> None:
    times = iter([10, 10, 10 + MINUTE_NS])
    fraud = Fraud(store.connect(":memory:"), clock=lambda: next(times))
    assert {fraud.handle(placed(order), "kafka") for order in ("1", "2", "3")} == {"fine"}


def test_an_order_that_comes_twice_counts_once_and_one_that_came_another_way_not_at_all() -> None:
    fraud = Fraud(store.connect(":memory:"), clock=lambda: 5)
    assert {fraud.handle(placed(order), "kafka") for order in ("1", "1", "1", "2", "2")} == {"fine"}
    assert fraud.handle(placed("3"), "rabbitmq") == "fine"


class Remembers:
    """A publisher that takes everything, or refuses it."""

    def __init__(self, error: Exception | None = None) -> None:
        self.events: list[Event] = []
        self._error = error

    async def publish(self, event: Event) -> None:
        if self._error:
            raise self._error
        self.events.append(event)


def flow(publishers: dict[str, Remembers], *upto: int) -> Trace:
    """Let a storefront publish up to each of these numbers, one after the other."""
    rows = Trace()

    async def scene() -> None:
        shop = Storefront(publishers, rows, rate=10_000)
        shop.open()
        for n in upto:
            shop.publish_up_to(n)
            while len(rows) < 2 * n * len(publishers) or shop._more.is_set():  # until it waits to be told more
                await asyncio.sleep(0)
            await asyncio.sleep(0)
        shop.close()

    asyncio.run(scene())
    return rows


def test_the_storefront_publishes_as_many_as_it_is_told_to_the_brokers_in_turn() -> None:
    kafka, rabbitmq = Remembers(), Remembers()
    rows = flow({"kafka": kafka, "rabbitmq": rabbitmq}, 2, 3)
    found = [order.id for order in orders.load(6)]
    assert [event.subject for event in kafka.events] == found[0::2]
    assert [event.subject for event in rabbitmq.events] == found[1::2]
    assert {event.type for event in kafka.events} == {"OrderPlaced"}
    assert [row.what for row in rows.rows()].count("confirmed") == 6


def test_an_order_that_a_broker_does_not_take_is_written_down_and_the_next_one_comes() -> None:
    rows = flow({"kafka": Remembers(BrokerError("Kafka is away.", "wait"))}, 3)
    assert [row.what for row in rows.rows()].count("failed") == 3
    assert "Kafka is away." in rows.rows()[-1].note


def test_when_the_data_file_is_through_its_orders_come_again_under_other_names() -> None:
    found = orders.load(2)
    events = list(itertools.islice(storefront.placed(found), 5))
    assert [event.subject for event in events] == [
        found[0].id, found[1].id, f"{found[0].id}-2", f"{found[1].id}-2", f"{found[0].id}-3",
    ]  # fmt: skip
    assert len({event.id for event in events}) == 5
    assert all(event.data["order"] == event.subject for event in events)


def test_the_publishers_code_names_no_subscriber() -> None:
    code = inspect.getsource(storefront) + inspect.getsource(publish)
    assert len(SUBSCRIBERS) == 4
    assert [name for name in SUBSCRIBERS if name in code.lower()] == []


@pytest.mark.parametrize(("told", "status", "upto"), [(b"12", 200, 12), (b"many", 400, 0), (b"-1", 400, 0)])
def test_the_flow_page_takes_a_whole_number_and_nothing_else(told: bytes, status: int, upto: int) -> None:
    shop = Storefront({"kafka": Remembers()}, Trace(), rate=1)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": told, "more_body": False}

    request = Request({"type": "http", "method": "PUT", "headers": []}, receive)
    answer = asyncio.run(storefront.route(shop).endpoint(request))
    assert (answer.status_code, shop._upto) == (status, upto)


@pytest.mark.parametrize(("change", "named"), [({"reset": "newest"}, "reset"), ({"rate": 0.0}, "rate")])
def test_a_services_file_with_a_wrong_reset_or_rate_is_refused_with_the_fields_name(
    tmp_path: Path, change: dict[str, Any], named: str
) -> None:
    told = {"service": "fraud", "port": 20_000, "folder": str(tmp_path)} | change
    (tmp_path / "it.json").write_text(json.dumps(told))
    with pytest.raises(SettingError, match=f"service's {named} is"):
        Config.read(tmp_path / "it.json")
