"""What went wrong is marked on the cell it happened to, and said in the title."""

import pytest
import stage_runs
from rows import handled
from scene_rows import kafka, rabbit

from labkit.events.rows import Row
from labkit.events.trace import Trace
from labkit.measure import anomalies, order, scene
from labkit.measure.scene import words as scene_words


def two(first: str, second: str, ms: tuple[float, float] = (10, 12)) -> list[Row]:
    """Two events of an order, handled at these times by these consumers."""
    rows = [rabbit(0, "published", "shop"), rabbit(1, "published", "shop", 2)]
    for seq, (who, at) in enumerate(zip((first, second), ms, strict=True), 1):
        rows += [rabbit(at - 4, "received", who, seq), rabbit(at, "handled", who, seq)]
    return rows


def marks(rows: list[Row]) -> dict[int, dict[str, float]]:
    """The event's number -> its marks."""
    (board,) = scene.build(rows)["boards"]
    return {cell["n"]: cell["marks"] for cell in board["cells"]}


def title(rows: list[Row]) -> str:
    return scene_words.title(scene.build(rows), 0)


def test_what_is_in_order_has_no_mark() -> None:
    assert marks(two("packing#1", "packing#2")) == {1: {}, 2: {}}
    assert title(two("packing#1", "packing#2")) == "Order 3: handled in order"


def test_an_overtaken_event_is_late_from_when_it_was_handled() -> None:
    rows = two("packing#1", "packing#2", (12, 10))
    assert marks(rows) == {1: {"late": 0.012}, 2: {}}
    assert title(rows) == "Order 3: paid overtakes placed"


@pytest.mark.parametrize(
    "numbers", [[1, 2, 4, 5, 3], [2, 1, 3, 5, 4], [5, 1, 2, 3, 4], [4, 5, 1, 2, 3], [2, 1, 5, 3, 4]]
)
def test_the_title_the_microscope_and_the_sentence_tell_the_same_two_events(numbers: list[int]) -> None:
    trace = Trace(row._replace(broker="rabbitmq") for row in handled(("order-3", numbers)).rows())
    found = scene.build(trace.rows())
    worst = order.lanes(trace.to_frame())[0].worst()
    assert worst
    assert scene_words.title(found, 0) == f"Order 3: {worst.ahead.said()} overtakes {worst.late.said()}"
    told = list(anomalies.find(trace.to_frame())["event_ids"])
    assert (worst.late.event_id, worst.ahead.event_id) in told


def test_a_retry_that_failed_before_overtook_nothing() -> None:
    rows = [
        rabbit(0, "received", "packing", 2),
        rabbit(1, "failed", "packing", 2),
        rabbit(2, "received", "packing"),
        rabbit(3, "handled", "packing"),
        rabbit(4, "received", "packing", 2, queue="later"),
        rabbit(5, "handled", "packing", 2, queue="later"),
    ]
    assert title(rows) == "Order 3: handled in order"


def test_an_event_handled_twice_says_when() -> None:
    rows = [rabbit(0, "published", "shop"), rabbit(1, "received", "packing#1"), rabbit(2, "handled", "packing#1")]
    rows += [rabbit(5, "received", "packing#2"), rabbit(7, "handled", "packing#2")]
    assert marks(rows) == {1: {"twice": 0.007}}
    assert title(rows) == "Order 3: placed is handled twice"
    assert scene_words.now(scene.build(rows), 0, 0.007).endswith("a second time.")


def test_an_event_that_is_received_and_never_handled_is_lost() -> None:
    rows = two("packing#1", "packing#1")[:-1]
    assert list(marks(rows)[2]) == ["lost"]
    assert title(rows) == "Order 3: paid is never handled"


def test_what_the_broker_refused_is_said() -> None:
    rows = [rabbit(0, "published", "shop"), rabbit(2, "failed", "shop")]
    assert marks(rows) == {1: {"refused": 0.002}}
    assert title(rows) == "Order 3: placed is refused"


def test_two_brokers_are_told_apart() -> None:
    assert title(stage_runs.rows("both")) == ("Order 1: handled in order on Kafka; paid overtakes placed on RabbitMQ")


def test_the_key_to_begin_with_is_the_first_with_an_anomaly() -> None:
    fine = [
        kafka(0, "published", "shop", key="order-1", event="a"),
        kafka(1, "received", "p", at=0, key="order-1", event="a"),
    ]
    broken = [kafka(2, "received", "p", 2, at=1), kafka(3, "received", "p", 1, at=2)]
    found = scene.build([*fine, *broken])
    assert found["keys"][found["start"]] == "order-3"
    assert scene.build(fine)["start"] == 0


def test_the_words_follow_the_rows_moment_by_moment() -> None:
    found = scene.build(stage_runs.rows("rabbitmq_nack"))
    k = found["keys"].index("order-3")
    words = [words for _, _, words in scene_words.lines(found, k)]
    assert len(words) > 15
    (failed,) = [i for i, line in enumerate(words) if "fails at event 1 (placed)" in line]
    assert any("receives event 1 (placed) again" in line for line in words[failed:])
    assert words[-1].endswith("the queue forgets it.")


@pytest.mark.parametrize(
    ("name", "words"), [("kafka_keyed", "stays in the log"), ("rabbitmq_nack", "gone from the queue")]
)
def test_the_subtitle_says_what_a_log_and_a_queue_do(name: str, words: str) -> None:
    assert words in scene_words.subtitle(scene.build(stage_runs.rows(name)))
