"""The load and the settings of lesson 08: the same from the same seed, and refused when they cannot be."""

from typing import Any

import pytest

from labkit.base.errors import SettingError
from labkit.lessons.ordering import load
from labkit.lessons.ordering.load import LIFE, plan
from labkit.lessons.ordering.setting import Setting


def told(planned: list[load.Planned]) -> list[tuple[Any, ...]]:
    return [(p.event.subject, p.event.seq, p.customer, p.due_s, p.work_s, p.first_try_fails) for p in planned]


def test_the_same_seed_makes_the_same_work_and_another_seed_another() -> None:
    assert told(plan(20, 7)) == told(plan(20, 7)) != told(plan(20, 8))


def test_every_order_has_its_whole_life_due_in_order_and_each_event_led_to_the_next() -> None:
    of = [p.event for p in plan(20, 1) if p.event.subject == "13"]
    assert [event.type for event in of] == list(LIFE)
    assert [event.seq for event in of] == [1, 2, 3, 4, 5]
    assert [event.causation_id for event in of[1:]] == [event.id for event in of[:-1]]
    assert len({event.correlation_id for event in of}) == 1


def test_the_part_that_fails_is_about_the_part_that_was_asked_for() -> None:
    failing = sum(p.first_try_fails for p in plan(400, 1, first_try_fails=0.1))
    assert 150 < failing < 250
    assert not any(p.first_try_fails for p in plan(400, 1))


def test_the_settings_do_the_same_work_whatever_fails() -> None:
    assert [p.work_s for p in plan(50, 3)] == [p.work_s for p in plan(50, 3, first_try_fails=0.5)]


def test_a_key_is_what_its_name_says_and_no_key_is_empty() -> None:
    planned = plan(1, 1)[1]
    keys = [planned.key(by) for by in load.KEYS]
    assert keys == ["1", planned.customer, "PaymentTaken", ""]


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"seed": "seven"}, "seed"),
        ({"orders": 0}, "orders"),
        ({"load": "flood"}, "load"),
        ({"first_try_fails": 2}, "first_try_fails"),
    ],
)
def test_a_load_that_cannot_be_made_is_refused_by_name(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(SettingError) as error:
        plan(**{"orders": 10, "seed": 1, **wrong})
    assert named in error.value.what and error.value.cure


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"broker": "pulsar"}, "broker"),
        ({"key": "store"}, "key"),
        ({"seed": "one"}, "seed"),
        ({"seed": True}, "seed"),
        ({"partitions": 0}, "partitions"),
        ({"consumers": 99}, "consumers"),
        ({"prefetch": 0}, "prefetch"),
        ({"first_try_fails": 1.5}, "first_try_fails"),
        ({"linger_ms": "none"}, "linger_ms"),
        ({"retry": "never"}, "retry"),
        ({"reader": "guesses"}, "reader"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_by_name(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(SettingError) as error:
        Setting(**wrong)
    assert error.value.what.startswith(f"{named} is ") and error.value.cure


def test_more_workers_than_events_are_refused() -> None:
    with pytest.raises(SettingError) as error:
        Setting(orders=3, consumers=4, workers=4)
    assert "15 events" in error.value.what and "more orders" in error.value.cure


def test_kafka_has_no_requeue_and_says_what_it_has() -> None:
    with pytest.raises(SettingError) as error:
        Setting(broker="kafka", first_try_fails=0.1, retry="requeue")
    assert "parked" in error.value.cure
    assert Setting(broker="rabbitmq", first_try_fails=0.1, retry="requeue").retry == "requeue"


def test_the_stamp_says_what_was_set() -> None:
    stamp = Setting(broker="rabbitmq", workers=3, first_try_fails=0.05, seed=9).stamp()
    assert all(word in stamp for word in ("1 classic queue", "prefetch 10", "3 workers", "5 % fail", "seed 9"))
