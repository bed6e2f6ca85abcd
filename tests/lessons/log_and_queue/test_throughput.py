"""Lesson 03: what each takes of events of each size. Numbers of events and promises are asserted, never a speed."""

import threading
from concurrent.futures import CancelledError

import confluent_kafka as ck
import pandas as pd
import pika
import pytest

from labkit import lab
from labkit.base import ports
from labkit.base.checkpoint import reporting
from labkit.base.errors import BrokerError, SettingError
from labkit.brokers.rabbitmq import topology
from labkit.lessons.log_and_queue import throughput, throughput_clients
from labkit.lessons.log_and_queue.plots import throughput as plot
from labkit.lessons.log_and_queue.throughput_clients import Queue, Topic
from labkit.measure.result import Result
from labkit.plots import style

pytestmark = pytest.mark.usefixtures("brokers")

ALL = ("kafka", "quorum", "classic", "stream")
QUICK = {"sizes": (100, 5000), "n": 600, "rounds": 2}


@pytest.fixture(scope="module")
def result(brokers) -> Result:
    return throughput.run(**QUICK, kinds=ALL)


def test_every_kind_is_measured_at_every_size_in_every_round(result):
    rows = result.deliveries
    assert len(rows) == len(ALL) * 2 * 2
    assert set(zip(rows["kind"], rows["size_b"], rows["round"], strict=True)) == {
        (kind, size, number) for kind in ALL for size in (100, 5000) for number in (1, 2)
    }
    assert (rows[["publish_per_s", "consume_per_s", "publish_mb_s", "consume_mb_s"]] > 0).all(axis=None)
    assert (rows["publish_mb_s"] / rows["publish_per_s"] * 1e6).round().astype(int).equals(rows["size_b"])
    assert rows.groupby("size_b")["n"].unique().map(list).to_dict() == {100: [600], 5000: [200]}


def test_who_begins_changes_from_round_to_round():
    first = [kind for number, size, kind in throughput._steps(2, (100,), ("kafka", "quorum"))]
    assert first == ["kafka", "quorum", "quorum", "kafka"]


@pytest.mark.parametrize("kind", ALL)
def test_what_is_published_is_stored_and_what_is_consumed_is_answered_for(kind):
    made = Topic(lab.kafka_config()) if kind == "kafka" else Queue(lab.rabbitmq_parameters(), kind)
    made.open()
    try:
        for _ in range(2):
            assert made.publish(b"x" * 10, 700) > 0
            assert left(made) >= 700 or kind == "stream"
            assert made.consume(700) > 0
        if kind in ("quorum", "classic"):
            assert left(made) == 0, "every one was acknowledged"
    finally:
        made.close()
    if isinstance(made, Queue):
        with (
            pytest.raises(BrokerError, match="no queue"),
            topology.channel(lab.rabbitmq_parameters()) as ch,
        ):
            ch.queue_declare(made.name, passive=True)


def left(made: Topic | Queue) -> int:
    """How many events are in it."""
    if isinstance(made, Topic):
        from labkit.brokers import kafka

        return kafka.group_position(made.config, "nobody", made.name).kept
    with topology.channel(made.parameters) as ch:
        return int(ch.queue_declare(made.name, passive=True).method.message_count)


def test_a_message_that_no_queue_takes_ends_the_measurement_with_an_error():
    made = Queue(lab.rabbitmq_parameters(), "quorum")  # never opened: there is no such queue
    with pytest.raises(BrokerError, match="it came back"):
        made.publish(b"x", 10)


def test_where_nobody_listens_the_measurement_says_so():
    nowhere = pika.ConnectionParameters("127.0.0.1", ports.free(1)[0], connection_attempts=1)
    with pytest.raises(BrokerError, match="does not answer"):
        Queue(nowhere, "quorum").publish(b"x", 10)


class NewGroup:
    """A Kafka consumer whose group gets its coordinator at the third question."""

    def __init__(self, code: int) -> None:
        self.code, self.asked = code, 0

    def committed(self, places: list[ck.TopicPartition], timeout: float) -> None:
        self.asked += 1
        if self.asked < 3:
            raise ck.KafkaException(ck.KafkaError(self.code))


def test_a_kafka_that_has_just_started_is_asked_again_until_it_keeps_the_groups_offsets():
    group, place = NewGroup(ck.KafkaError.NOT_COORDINATOR), ck.TopicPartition("a", 0)
    assert [throughput_clients._coordinated(group, place) for _ in range(3)] == [False, False, True]


def test_any_other_refusal_ends_the_measurement():
    group = NewGroup(ck.KafkaError.GROUP_AUTHORIZATION_FAILED)
    with pytest.raises(BrokerError, match="does not tell what a group has read"):
        throughput_clients._coordinated(group, ck.TopicPartition("a", 0))


def test_the_kinds_are_ranked_from_the_quickest_to_the_slowest():
    one = Result("", made_up({"kafka": (300, 900, 500), "quorum": (100, 300, 50), "stream": (600, 600, 600)}))
    assert throughput.ranked(one, 100).endswith(
        "a second: RabbitMQ's stream 600, Kafka 500, RabbitMQ's quorum queue 100."
    )
    assert "consumed and acknowledged" in throughput.ranked(one, 100, "consume")
    with pytest.raises(SettingError, match="No events of 7 bytes"):
        throughput.ranked(one, 7)


def test_medians_and_factors_are_those_of_the_rounds():
    table = made_up({"kafka": (300, 900, 500), "quorum": (100, 300, 50)})
    numbers = throughput.medians(table)
    assert float(numbers["kafka_100_publish"]) == 500
    assert float(numbers["quorum_100_consume"]) == 200
    assert float(numbers["factor_100"]) == 5


def made_up(rates: dict[str, tuple[float, ...]], sizes: tuple[int, ...] = (100,)) -> pd.DataFrame:
    rows = [
        {
            "kind": kind,
            "size_b": size,
            "round": i,
            "n": 1000,
            "publish_per_s": rate / (1 + j),
            "consume_per_s": 2 * rate,
        }
        for kind, some in rates.items()
        for j, size in enumerate(sizes)
        for i, rate in enumerate(some)
    ]
    table = pd.DataFrame(rows)
    for what in ("publish", "consume"):
        table[f"{what}_mb_s"] = table[f"{what}_per_s"] * table["size_b"] / 1e6
    return table


def test_a_run_that_is_cancelled_stops_and_leaves_nothing():
    stop = threading.Event()
    seen = []

    def progress(done, words):
        seen.append(words)
        if "round 1" in words:
            stop.set()

    with pytest.raises(CancelledError), reporting(progress, stop):
        throughput.run(**QUICK)
    assert any("round 1" in words for words in seen)


@pytest.mark.parametrize(
    "wrong", [{"n": 10}, {"rounds": 0}, {"sizes": ()}, {"sizes": (0,)}, {"kinds": ()}, {"kinds": ("pigeon",)}]
)
def test_a_run_of_nothing_is_refused(wrong):
    with pytest.raises(SettingError, match="|".join(wrong)):
        throughput.run(**{**QUICK, **wrong})


def drawn(rates: dict[str, tuple[float, ...]], sizes: tuple[int, ...] = (100, 5000), **options) -> style.Picture:
    return plot.sizes(Result("", made_up(rates, sizes), provenance={"n": "made up"}), **options)


def told(picture: style.Picture) -> list[str]:
    return [text.get_text() for ax in picture.figure.axes for text in ax.texts]


@pytest.mark.parametrize(
    ("rates", "words"),
    [
        ({"kafka": (100, 100), "quorum": (10, 10)}, "Kafka takes 10 times as many events of 100 B"),
        ({"kafka": (100, 100), "quorum": (99, 99)}, "about as many"),
        ({"kafka": (50, 50), "quorum": (100, 100)}, "only 0.5 times"),
        ({"kafka": (50, 50)}, "The larger an event"),
    ],
)
def test_the_title_is_computed_from_the_run(rates, words):
    assert words in drawn(rates).figure.texts[0].get_text()


def test_the_picture_says_which_client_is_c_and_which_is_python():
    words = told(drawn({"kafka": (100, 90), "quorum": (10, 9), "stream": (20, 12)}))
    assert words.count("client in C") == 1
    assert words.count("client in Python") == 2


def test_the_bet_is_drawn_as_so_many_times_what_the_queue_takes():
    picture = drawn({"kafka": (100, 100), "quorum": (10, 10)}, bet=4)
    assert "┄┄ your bet: 4 times" in told(picture)
    dashed = [line for line in picture.figure.axes[0].lines if line.get_color() == style.INK]
    assert [set(line.get_ydata()) for line in dashed] == [{40.0}]
    assert "the bet was 4 times" in picture.alt


@pytest.mark.parametrize("bet", [1, 3, 30])
def test_the_name_of_the_bet_stands_beside_the_panels_where_no_line_is(bet):
    picture = drawn({"kafka": (100, 100), "quorum": (10, 10), "stream": (12, 12)}, bet=bet)
    picture.figure.canvas.draw()
    (name,) = [text for ax in picture.figure.axes for text in ax.texts if "your bet" in text.get_text()]
    box = name.get_window_extent()
    assert not any(box.overlaps(ax.get_window_extent()) for ax in picture.figure.axes)
    assert box.x1 < picture.figure.bbox.x1


def test_all_kinds_one_size_and_a_result_without_rounds():
    assert drawn(dict.fromkeys(ALL, (10, 20, 30)), sizes=(200,)).png()
    with pytest.raises(ValueError, match="nothing to draw"):
        plot.sizes(Result("", pd.DataFrame()))
    with pytest.raises(ValueError, match="publish"):
        drawn({"kafka": (1, 2)}, what="sell")


def test_the_picture_of_a_real_run_is_drawn_for_both_sides(result):
    for what in ("publish", "consume"):
        assert plot.sizes(result, what=what).png().startswith(b"\x89PNG")
