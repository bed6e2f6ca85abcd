"""What an answer of RabbitMQ stands for, when it confirms what was published. No broker is needed."""

from typing import Any

from labkit.brokers.rabbitmq.confirms import Confirms


def answer(tag: int, multiple: bool = False, name: str = "Basic.Ack") -> Any:
    return type("Method", (), {"delivery_tag": tag, "multiple": multiple, "NAME": name})


def published(*ids: str) -> Confirms[str]:
    confirms = Confirms[str]()
    for each in ids:
        confirms.published(each)
    return confirms


def test_a_confirm_out_of_turn_and_one_for_several_are_counted_once_each() -> None:
    confirms = published("a", "b", "c", "d")
    assert confirms.answered(answer(3)) == [("c", "")]
    assert confirms.answered(answer(2, multiple=True)) == [("a", ""), ("b", "")]
    assert list(confirms.unconfirmed.values()) == ["d"]
    assert confirms.answered(answer(4, multiple=True)) == [("d", "")]


def test_a_nack_for_several_refuses_each_of_them() -> None:
    refused = published("a", "b", "c").answered(answer(2, multiple=True, name="Basic.Nack"))
    assert [one for one, _ in refused] == ["a", "b"]
    assert all("nack" in reason for _, reason in refused)


def test_a_message_that_came_back_is_not_safe_though_it_is_confirmed_and_its_neighbours_are() -> None:
    confirms = published("a", "b", "c")
    confirms.returned("b", "no queue")
    assert confirms.answered(answer(2, multiple=True)) == [("a", ""), ("b", "no queue")]
    assert confirms.answered(answer(3)) == [("c", "")]


def test_the_channel_after_a_lost_one_counts_from_one_again() -> None:
    confirms = published("a", "b")
    confirms.returned("b", "no queue")
    assert confirms.lost() == ["a", "b"]
    confirms.published("b")
    assert confirms.answered(answer(1)) == [("b", "")]
