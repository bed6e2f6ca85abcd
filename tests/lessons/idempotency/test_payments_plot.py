"""The picture of lost and doubled: what its title says, what it draws, and that it can be told without seeing it."""

from typing import Any

import pandas as pd
import pytest

from labkit.lessons.idempotency.plots import lost_doubled
from labkit.measure.result import Result
from labkit.plots import style


def table(*rows: tuple[str, str, int, int], extra: int | None = None) -> Result:
    return Result(
        "",
        pd.DataFrame(
            [
                {"strategy": name, "broker": broker, "lost": lost, "doubled": doubled, "payments": 200, "crashes": 18,
                 "extra": doubled if extra is None else extra}
                for name, broker, lost, doubled in rows
            ]
        ),
    )  # fmt: skip


MANY = table(
    ("ack first", "kafka", 7, 0),
    ("ack first", "rabbitmq", 7, 0),
    ("work first", "kafka", 0, 11),
    ("work first", "rabbitmq", 0, 11),
    ("skip redelivered", "rabbitmq", 7, 0),
    ("inbox, same transaction", "kafka", 0, 0),
    ("inbox, same transaction", "rabbitmq", 0, 0),
)


def words(picture: style.Picture) -> list[str]:
    found = [text.get_text() for text in picture.figure.texts]
    return found + [text.get_text() for ax in picture.figure.axes for text in ax.texts]


def bars_of(picture: style.Picture) -> list[tuple[float, Any, Any]]:
    return [
        (patch.get_width(), patch.get_facecolor(), patch.get_edgecolor())
        for ax in picture.figure.axes
        for patch in ax.patches
    ]


def test_lost_goes_to_the_left_hollow_and_doubled_to_the_right_full() -> None:
    found = bars_of(lost_doubled.bars(MANY))
    assert sorted(width for width, _, _ in found) == [-7, -7, -7, 11, 11]
    for width, face, edge in found:
        assert (face == edge) == (width > 0), "a second sign beside the colour and the side"


def test_the_title_says_who_was_wronged_most_and_how() -> None:
    title = lost_doubled.title(lost_doubled.lines(MANY.deliveries.iloc[:5])).replace("\n", " ")
    assert title == "“Work first” charged 11 of 200 customers twice, “ack first” forgot 7"
    one = lost_doubled.lines(table(("ack first", "kafka", 7, 0)).deliveries)
    assert lost_doubled.title(one) == "“Ack first” never charged 7 of 200 customers"
    good = lost_doubled.lines(table(("upsert by order", "kafka", 0, 0)).deliveries)
    assert lost_doubled.title(good) == "Through 18 crashes, all 200 customers were charged once"


def test_of_many_strategies_the_title_names_the_few_that_wronged_nobody() -> None:
    found = lost_doubled.lines(MANY.deliveries)
    title = lost_doubled.title(found).replace("\n", " ")
    assert title == "Only “inbox, same transaction” charged all 200 customers once"
    half = [*found[:-1], found[-1]._replace(doubled=2)]  # clean on one broker, and not on the other
    assert "Only" not in lost_doubled.title(half)
    two = lost_doubled.title([*found, found[-1]._replace(strategy="upsert by order")])
    assert two == "Only “inbox, same transaction” and\n“upsert by order” charged all 200 customers once"


def test_one_crash_is_not_called_crashes() -> None:
    (line,) = lost_doubled.lines(table(("automatic ack", "rabbitmq", 192, 0)).deliveries)
    assert lost_doubled.subtitle([line._replace(crashes=1)]) == "1 crash in 200 payments."
    assert lost_doubled.subtitle([line]) == "18 crashes in 200 payments."


def test_more_charges_than_customers_are_told_apart() -> None:
    picture = lost_doubled.bars(table(("work first", "kafka", 0, 61), extra=88))
    assert "61 (+88)" in words(picture)
    assert "In brackets: charges too many." in " ".join(words(picture))
    assert "more than once" in picture.figure.texts[0].get_text()
    assert "more than once ▶" in words(picture)


def test_what_a_broker_does_not_have_is_said_and_zero_stands_in_a_ring() -> None:
    said = words(lost_doubled.bars(MANY))
    assert said.count("not on offer") == 1
    assert said.count("0") == 2


def test_bets_are_drawn_on_their_side_and_only_where_the_strategy_was_run() -> None:
    picture = lost_doubled.bars(MANY, {"ack first": 18}, {"work first": 6, "skip redelivered": 3}, stamp="")
    drawn = [line.get_xdata()[0] for ax in picture.figure.axes for line in ax.lines if line.get_marker() == "v"]
    assert sorted(drawn) == [-18, -18, 3, 6, 6]
    assert "▼ your bet" in words(picture)
    assert "18 never with ack first" in picture.alt
    assert "▼ your bet" not in words(lost_doubled.bars(MANY))


def test_everything_that_is_drawn_fits_on_the_sheet() -> None:
    most = table(("work first", "rabbitmq", 0, 106), extra=155)
    for result, bets in ((MANY, {"ack first": 180}), (most, {}), (table(("ack first", "kafka", 200, 0)), {})):
        picture = lost_doubled.bars(result, bets, stamp="Kafka · RabbitMQ")
        with style.paper():
            picture.figure.canvas.draw()
            width, height = picture.figure.canvas.get_width_height()
            boxes = [text.get_window_extent() for ax in picture.figure.axes for text in ax.texts]
        assert boxes
        assert all(box.x0 >= 0 and box.x1 <= width and box.y0 >= 0 and box.y1 <= height for box in boxes)


def test_the_same_run_is_told_in_one_sentence_and_nothing_is_no_picture() -> None:
    assert "work first on Kafka 0 never, 11 more than once" in lost_doubled.bars(MANY).alt
    with pytest.raises(ValueError, match="nothing to draw"):
        lost_doubled.bars(Result("", MANY.deliveries.iloc[:0]))
