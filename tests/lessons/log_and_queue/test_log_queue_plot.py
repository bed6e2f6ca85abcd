"""The picture of who has read what: from rows, without a broker."""

import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import FancyBboxPatch
from matplotlib.text import Text

from labkit.events.trace import Trace
from labkit.lessons.log_and_queue.orders import Read, side_by_side, table
from labkit.lessons.log_and_queue.plots import readers
from labkit.measure import scene
from labkit.measure.scene import at
from labkit.plots import stage, style

ALL = range(1, 9)
WIDE = 9.0


def texts(picture: style.Picture) -> list[str]:
    return [text.get_text() for text in picture.figure.findobj(Text)]


def title(picture: style.Picture) -> str:
    return picture.figure.texts[0].get_text().replace("\n", " ")


def cells(picture: style.Picture) -> list[FancyBboxPatch]:
    found = [p for p in picture.figure.findobj(FancyBboxPatch) if p.get_boxstyle().__class__.__name__ == "Round"]
    assert found
    return found


def late(kafka: int = 8, rabbitmq: int = 0) -> pd.DataFrame:
    return side_by_side(
        kafka={"first": list(ALL), "late": list(ALL)[:kafka]},
        rabbitmq={"first": list(ALL), "late": list(ALL)[:rabbitmq]},
    )


def test_the_title_says_what_the_late_reader_got_on_each_broker() -> None:
    assert title(readers.who(late())) == "Kafka gives the late reader 8, RabbitMQ nothing."
    assert title(readers.who(late(kafka=3, rabbitmq=2))) == "Kafka gives the late reader 3, RabbitMQ 2."
    assert title(readers.who(late(kafka=0))) == "The late reader gets nothing from either."


def test_without_a_late_reader_the_title_counts_orders_per_reader() -> None:
    rows = side_by_side(kafka={"a": list(ALL), "b": []}, rabbitmq={"a": [1, 3, 5, 7], "b": [2, 4, 6, 8]})
    assert title(readers.who(rows)) == "Kafka's readers get 8 and none, RabbitMQ's 4 and 4."


def test_who_has_read_nothing_is_told_in_a_word() -> None:
    assert texts(readers.who(late())).count("nothing") == 1
    assert texts(readers.who(late(rabbitmq=1))).count("nothing") == 0


def test_every_order_of_every_reader_has_a_cell_and_only_what_was_read_has_a_number() -> None:
    picture = readers.who(late(rabbitmq=2))
    assert len(cells(picture)) == 32
    assert sorted(word for word in texts(picture) if word.isdecimal()) == sorted([*map(str, ALL)] * 3 + ["1", "2"])


def test_what_is_not_done_is_hollow_and_a_dead_letter_has_the_colour_of_the_broken_and_a_cross() -> None:
    one = Read("kafka", "a", [1, 2, 3, 3, 3, 3], dead={3}, unsaid={2})
    picture = readers.who(table([one], n=4))
    done, unsaid, dead, unread = cells(picture)
    assert to_hex(done.get_facecolor()) == style.KAFKA.colour.lower()
    assert to_hex(unsaid.get_facecolor()) == to_hex(unread.get_facecolor()) == "#ffffff"
    assert unsaid.get_linestyle() != unread.get_linestyle()
    assert to_hex(dead.get_edgecolor()) == style.BROKEN.lower()
    assert to_hex(unsaid.get_edgecolor()) != style.BROKEN.lower()
    assert {"3", "×", "4×"} <= set(texts(picture))


def test_only_the_signs_that_are_drawn_are_explained() -> None:
    assert not any("dead letter" in word for word in texts(readers.who(late())))
    picture = readers.who(table([Read("stream", "a", [1, 1], dead={1})]))
    assert any("dead letter" in word for word in texts(picture))
    assert any("twice" in word for word in texts(picture))


def test_how_often_an_order_was_got_is_explained_with_the_number_that_is_drawn() -> None:
    assert "2× got twice" in texts(readers.who(table([Read("kafka", "a", [1, 1])])))
    assert "4× got 4 times" in texts(readers.who(table([Read("kafka", "a", [1, 1, 2, 2, 2, 2])])))


def test_what_stands_in_a_cell_fits_into_it_however_many_brokers_there_are() -> None:
    reads = [Read(b, "reader 1 again", [1, 3, 3, 3, 3], dead={3}) for b in ("kafka", "rabbitmq", "stream")]
    picture = readers.who(table(reads))
    picture.figure.canvas.draw()
    boxes = [cell.get_window_extent() for cell in cells(picture)]
    inside = [text for text in picture.figure.findobj(Text) if text.get_text() in {"1", "3", "4×"}]
    assert len(inside) == 9
    for text in inside:
        word = text.get_window_extent()
        assert any(box.x0 < word.x0 and word.x1 < box.x1 and box.y0 < word.y1 < box.y1 for box in boxes), word


def test_it_says_the_same_in_words() -> None:
    told = readers.who(table([Read("kafka", "a", [1, 2, 2]), Read("rabbitmq", "b", list(ALL), dead={3})])).alt
    assert "a on Kafka orders 1, 2, 2 more than once" in told
    assert "b on RabbitMQ all 8, 3 as a dead letter" in told


@pytest.mark.parametrize("brokers", [["kafka"], ["kafka", "rabbitmq"], ["kafka", "rabbitmq", "stream"]])
@pytest.mark.parametrize("many", [1, 5])
def test_nothing_hangs_over_the_edge(brokers: list[str], many: int) -> None:
    reads = [Read(b, f"reader {i}", [1, 1, 2, 3], dead={2}, unsaid={3}) for b in brokers for i in range(many)]
    reads.append(Read(brokers[-1], "reader 1 again", list(ALL)))  # a row that the others have not
    stamp = "Kafka 4.4.0 · native · RabbitMQ 4.0.5 · native · readers share · 2 partitions, prefetch 4 · order 3 fails"
    picture = readers.who(table(reads), stamp=stamp)
    sheet = picture.figure
    sheet.canvas.draw()
    high = sheet.get_size_inches()[1]
    for text in sheet.findobj(Text):
        if text.get_text():
            box = text.get_window_extent().transformed(sheet.dpi_scale_trans.inverted())
            assert box.x0 > -0.01, text.get_text()
            assert box.x1 < WIDE + 0.01, text.get_text()
            assert -0.01 < box.y0 < box.y1 < high + 0.01, text.get_text()


def test_a_reader_that_only_one_broker_has_leaves_its_row_empty_at_the_others_and_is_named_once() -> None:
    rows = side_by_side(kafka={"a": [1], "b": [2]}, stream={"a": [1], "a again": [1], "b": [2]})
    picture = readers.who(rows)
    found = texts(picture)
    assert [found.count(name) for name in ("a", "a\nagain", "b")] == [1, 1, 1]
    high = [sorted({round(cell.get_y()) for cell in ax.findobj(FancyBboxPatch)}) for ax in picture.figure.axes]
    assert [found for found in high if found] == [[0, 2], [0, 1, 2]]
    apart = texts(readers.who(side_by_side(kafka={"a": [1]}, rabbitmq={"b": [1]})))
    assert [apart.count(name) for name in ("a", "b")] == [1, 1]


def test_the_three_frames_of_a_staged_run_show_three_different_things_at_three_different_times() -> None:
    trace = Trace()
    for i, (broker, channel, position) in enumerate((("kafka", "orders/0", 0), ("rabbitmq", "orders", -1))):
        for seq in (1, 2):
            steps = (("published", 0), ("confirmed", 1), ("received", 100 * seq), ("handled", 100 * seq + 0.05),
                     ("acked", 100 * seq + 0.07))  # fmt: skip
            for what, ms in steps:
                where = (channel, position * seq, "reader#1" if what in ("received", "handled", "acked") else "shop")
                trace.add(what, f"order-{seq}", 1, f"{i}{seq}", *where, broker, "OrderPlaced", int((1 + ms) * 1e6))
    found = scene.build(trace.rows())
    for board in found["boards"]:
        three = stage._three(board, 0)
        seen = [[(i, spot.place, spot.state) for i, spot in at.spots(board, t, 0.0)] for t in three]
        assert seen[0] != seen[1] != seen[2]
        assert stage.clocks(three) == ["100.000 ms", "100.070 ms", "200.070 ms"]


def test_no_rows_are_no_picture() -> None:
    with pytest.raises(ValueError, match="no readers"):
        readers.who(table([]))
