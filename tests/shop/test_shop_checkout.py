"""The designs of checkout, with services that do what the test says. No broker, no network, a clock of our own."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from labkit.base.errors import BrokerError
from labkit.events.event import Event
from labkit.events.trace import Trace
from labkit.shop.checkout import CallError, Checkout, CheckoutError
from labkit.shop.defence import Breaker, RetryBudget

ORDER = Event("OrderPlaced", "/shop/checkout", "42", {}, id="42-placed", seq=1)
Answers = Callable[[str, int], bool]


class Services:
    """Answers calls. good: (service, attempt) -> whether the call goes well. calls: what was asked, in order."""

    def __init__(self, good: Answers = lambda service, attempt: True) -> None:
        self.good = good
        self.calls: list[tuple[str, int, float]] = []

    async def call(self, service: str, event: Event, design: str, attempt: int, timeout_s: float) -> None:
        self.calls.append((service, attempt, timeout_s))
        if not self.good(service, attempt):
            raise CallError("it answered 503")


class Broker:
    def __init__(self, error: BrokerError | None = None) -> None:
        self.error, self.events = error, list[Event]()

    async def publish(self, event: Event) -> None:
        if self.error:
            raise self.error
        self.events.append(event)


def place(design: str, services: Services | None = None, brokers: dict[str, Any] | None = None) -> Trace:
    rows = Trace()
    checkout = Checkout((services or Services()).call, brokers or {}, rows, timeout_s=0.25)
    asyncio.run(checkout.place(ORDER, design))
    return rows


def test_the_chain_asks_all_three_one_after_the_other() -> None:
    services = Services()
    place("http", services)
    assert services.calls == [(name, 1, 10.0) for name in ("inventory", "notification", "analytics")]


def test_the_chain_fails_at_the_first_no_and_leaves_what_was_done_before() -> None:
    services = Services(lambda service, attempt: service != "notification")
    with pytest.raises(CheckoutError, match="notification"):
        place("http", services)
    assert [service for service, _, _ in services.calls] == ["inventory", "notification"]


def test_with_retries_the_third_try_can_save_the_order() -> None:
    services = Services(lambda service, attempt: attempt == 3)
    place("retries", services)
    assert [attempt for service, attempt, _ in services.calls if service == "analytics"] == [1, 2, 3]
    assert {timeout_s for _, _, timeout_s in services.calls} == {0.25}


def test_after_three_tries_the_order_has_failed() -> None:
    services = Services(lambda service, attempt: False)
    with pytest.raises(CheckoutError, match="inventory"):
        place("retries", services)
    assert len(services.calls) == 3


def test_an_event_is_published_and_nobody_else_is_asked() -> None:
    services, broker = Services(), Broker()
    rows = place("kafka", services, {"kafka": broker})
    assert (broker.events, services.calls) == ([ORDER], [])
    assert [row.what for row in rows.rows()] == ["published", "confirmed"]


def test_an_event_that_is_not_confirmed_is_no_order() -> None:
    broker = Broker(BrokerError("RabbitMQ is not connected.", "look at status"))
    with pytest.raises(BrokerError):
        place("rabbitmq", brokers={"rabbitmq": broker})


def test_an_unknown_design_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(CheckoutError) as told:
        place("kafak", brokers={"kafka": Broker()})
    assert "http, retries, defended, kafka" in told.value.cure


def test_a_service_that_only_fails_is_left_alone_and_retried_within_the_budget() -> None:
    services = Services(lambda service, attempt: False)
    checkout = Checkout(services.call, {}, Trace())

    async def scene() -> None:
        for _ in range(100):
            with pytest.raises(CheckoutError):
                await checkout.place(ORDER, "defended")

    asyncio.run(scene())
    # Undefended it would be 300 calls. Five failures in a row open the breaker; then one probe in half a second.
    assert 5 <= len(services.calls) <= 8


def test_the_breaker_opens_after_so_many_failures_in_a_row_and_a_success_closes_it() -> None:
    now = [0.0]
    breaker = Breaker(failures=3, open_s=1.0, clock=lambda: now[0])
    for _ in range(2):
        breaker.failed()
    breaker.succeeded()  # not three in a row
    breaker.failed()
    breaker.failed()
    assert breaker.allows()
    breaker.failed()
    assert not breaker.allows()
    now[0] = 1.0
    assert breaker.allows()  # one probe,
    assert not breaker.allows()  # and only one
    breaker.failed()
    now[0] = 1.9
    assert not breaker.allows()
    now[0] = 2.0
    assert breaker.allows()
    breaker.succeeded()
    assert breaker.allows()
    assert breaker.allows()


def test_the_budget_allows_retries_as_a_share_of_the_calls() -> None:
    budget = RetryBudget(share=0.25, start=1, most=2)
    assert budget.take()
    assert not budget.take()
    for _ in range(4):
        budget.call()
    assert budget.take()
    assert not budget.take()
    for _ in range(100):
        budget.call()
    assert [budget.take() for _ in range(3)] == [True, True, False]  # it does not save up forever
