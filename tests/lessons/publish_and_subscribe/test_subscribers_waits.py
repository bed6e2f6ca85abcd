"""What the runs of lesson 02 wait for before they count. No broker is needed."""

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from labkit.brokers import kafka
from labkit.lessons import publish_and_subscribe
from labkit.lessons.publish_and_subscribe import table


class Copy:
    """A consumer that holds some partitions."""

    def __init__(self, held: int) -> None:
        self.held = held

    def poll(self, timeout_s: float) -> None:
        return None

    def assignment(self) -> list[None]:
        return [None] * self.held


@pytest.mark.parametrize(("held", "ready"), [([2, 0], False), ([0, 0], False), ([2, 1], False), ([1, 1], True)])
def test_the_commands_come_when_the_group_has_shared_out_its_partitions(held: list[int], ready: bool) -> None:
    copies: list[Any] = [Copy(n) for n in held]
    assert kafka.all_assigned(copies, 2) is ready


def test_the_dead_letters_are_counted_when_both_brokers_have_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    told = iter([{"kafka": 2, "rabbitmq": 0}, {"kafka": 2, "rabbitmq": 1}, {"kafka": 2, "rabbitmq": 3}])
    monkeypatch.setattr(table, "count_dead_letters", lambda shop, who: next(told))

    def until(fact: Any, within_s: float, what: str) -> None:
        while not fact():
            pass

    shop: Any = SimpleNamespace(until=until, brokers=SimpleNamespace(names=("kafka", "rabbitmq")))
    rows = pd.DataFrame(
        [{"who": "analytics", "broker": "kafka", "order": n, "dead": True} for n in "12"]
        + [{"who": "analytics", "broker": "rabbitmq", "order": n, "dead": True} for n in "345"]
        + [{"who": "inventory", "broker": "kafka", "order": n, "dead": True} for n in "67"]
    )
    found = publish_and_subscribe.Flow(shop, rate=1, seconds=1).dead_letters("analytics", rows)
    assert {name: number.value for name, number in found.items()} == {
        "analytics_kafka_dead_letters": 2,
        "analytics_rabbitmq_dead_letters": 3,
    }
