"""The picture of latencies: what it says, and that it fits whatever was measured."""

import io
from collections.abc import Sequence

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from labkit.measure.latency import milliseconds, percentiles
from labkit.measure.result import Measure, plain
from labkit.plots import latency, style
from labkit.teach import bets


def table(**ms: Sequence[float]) -> pd.DataFrame:
    """Deliveries with these latencies in ms."""
    rows = [
        {"broker": broker, "due_s": i / 100, "received_s": i / 100 + value / 1000}
        for broker, values in ms.items()
        for i, value in enumerate(values)
    ]
    return pd.DataFrame(rows)


def typical(p50: float, n: int = 500, seed: int = 1) -> list[float]:
    """Latencies as brokers have them: a hump, and a few slow ones."""
    random = np.random.default_rng(seed)
    values = p50 * np.exp(random.gamma(2, 0.14, n) - 0.25)
    slow = random.random(n) < 0.03
    return list(np.where(slow, values * random.uniform(2, 9, n), values))


def words(picture: style.Picture) -> list[str]:
    return [text.get_text() for text in picture.figure.findobj(Text) if text.get_text()]


def boxes(figure: Figure) -> dict[str, tuple[float, float, float, float]]:
    """Text -> its place in inches: left, bottom, right, top."""
    figure.draw_without_rendering()
    found = {}
    for text in figure.findobj(Text):
        if text.get_text().strip() and text.get_visible():
            box = text.get_window_extent()
            found[text.get_text()] = (box.x0 / 100, box.y0 / 100, box.x1 / 100, box.y1 / 100)
    return found


def test_percentiles_are_times_of_real_events() -> None:
    found = percentiles([float(i) for i in range(1, 101)])
    assert {name: m.value for name, m in found.items()} == {"p50": 50, "p90": 90, "p99": 99, "max": 100}
    with pytest.raises(ValueError, match="nothing was received"):
        percentiles([])


def test_latency_counts_from_the_intended_send() -> None:
    late = pd.DataFrame([{"due_s": 1.0, "published_s": 1.4, "received_s": 1.5}])
    assert milliseconds(late).round(6).tolist() == [500]


@pytest.mark.parametrize(
    ("value", "said"), [(0, "0"), (0.034, "0.034"), (1.53, "1.5"), (9.96, "10"), (152.4, "152"), (3333.3, "3,333")]
)
def test_numbers_are_said_with_the_digits_that_count(value: float, said: str) -> None:
    assert plain(value) == said
    assert str(Measure(value, "ms")) == f"{said} ms"


def test_the_title_says_both_when_both_are_alike() -> None:
    picture = latency.dots(table(kafka=[1, 1.5, 15], rabbitmq=[1, 2, 3]))
    assert "Half of the events arrive within 2.0 ms on both;\nthe slowest takes 10 times as long." in words(picture)


def test_the_title_names_the_slower_one_when_they_differ() -> None:
    picture = latency.dots(table(kafka=[50] * 3, rabbitmq=[2] * 3))
    title = "Half of the events arrive within 2.0 ms on RabbitMQ,\n50 ms on Kafka: 25 times as long."
    assert title in words(picture)


def test_the_alternative_text_is_one_sentence_with_the_numbers_and_the_bet() -> None:
    alt = latency.dots(table(kafka=[1, 2, 3]), bet=5).alt
    assert "Kafka half under 2.0 ms" in alt
    assert alt.endswith("slowest 3.0 ms; the bet was 5 ms.")
    assert "\n" not in alt


@pytest.mark.parametrize(
    ("bet", "said"), [(5, "your bet: 5 ms"), (5000, "your bet: 5000 ms →"), (0.01, "← your bet: 0.01 ms")]
)
def test_a_bet_far_outside_becomes_an_arrow_and_does_not_squeeze_the_dots(bet: float, said: str) -> None:
    picture = latency.dots(table(kafka=typical(1.5)), bet=bets.place("it", bet, unit="ms"))
    assert said in words(picture)
    low, high = picture.figure.axes[0].get_xlim()
    assert 0.2 < low < 1.5
    assert 9 < high < 60


def test_without_a_bet_none_is_drawn() -> None:
    assert not [text for text in words(latency.dots(table(kafka=[1, 2]))) if "bet" in text]


def test_every_event_is_a_dot_and_no_dot_lies_on_another() -> None:
    values = typical(1.5)
    picture = latency.dots(table(kafka=values, rabbitmq=values))
    for ax in picture.figure.axes:
        places = np.asarray(ax.collections[0].get_offsets())
        assert len(places) == len(values)
        assert len(np.unique(places.round(6), axis=0)) == len(values)


@pytest.mark.parametrize("bet", [None, 0.3, 1.6, 20, 80, 9000])
@pytest.mark.parametrize(
    "ms",
    [
        {"kafka": typical(1.4), "rabbitmq": typical(1.8, seed=2)},
        {"kafka": typical(52, n=200), "rabbitmq": typical(2)},
        {"kafka": [100.0] * 50 + [1.0], "rabbitmq": [1.0] * 50},
        {"kafka": [1.0], "rabbitmq": [1.0]},
        {"rabbitmq": typical(0.04)},
        {"kafka": typical(3000, n=2000)},
    ],
)
def test_all_words_are_inside_the_picture(ms: dict[str, Sequence[float]], bet: float | None) -> None:
    figure = latency.dots(table(**ms), bet=bet, stamp="Kafka 4.4.0 · native · " * 6).figure
    width, height = figure.get_size_inches()
    found = boxes(figure)
    assert len(found) > 5
    for text, (left, bottom, right, top) in found.items():
        assert left >= -0.01, text
        assert bottom >= -0.01, text
        assert right <= width + 0.01, text
        assert top <= height + 0.01, text


@pytest.mark.parametrize("bet", [0.3, 1.6, 9000])
def test_the_bet_stands_clear_of_title_and_subtitle(bet: float) -> None:
    found = boxes(latency.dots(table(kafka=typical(1.4)), bet=bet).figure)
    (said,) = [box for text, box in found.items() if "your bet" in text]
    (subtitle,) = [box for text, box in found.items() if text.startswith("A dot is")]
    assert said[3] < subtitle[1]


@pytest.mark.parametrize("bet", [1.6, 3, 5])
def test_the_bets_line_passes_behind_the_words_at_a_percentile(bet: float) -> None:
    figure = latency.dots(table(kafka=typical(1.4), rabbitmq=typical(1.8)), bet=bet).figure
    figure.draw_without_rendering()
    crossed = 0
    for ax in figure.axes:
        (line,) = [one for one in ax.lines if one.is_dashed()]
        at = ax.transData.transform((bet, 0))[0]
        for text in ax.texts:
            box = text.get_window_extent()
            if box.x0 < at < box.x1 and box.y1 < ax.bbox.y1:  # what stands above the panel is the bet's own
                crossed += 1
                card = text.get_bbox_patch()
                assert card is not None, text.get_text()
                assert card.get_facecolor() == to_rgba(style.PAPER)
                assert text.get_zorder() > line.get_zorder()
    assert crossed


def test_a_picture_and_the_readers_settings_leave_each_other_alone() -> None:
    plain = latency.dots(table(kafka=[1, 2, 3])).png()
    with matplotlib.rc_context({"figure.facecolor": "black", "path.sketch": (5, 100, 2)}):
        before = dict(matplotlib.rcParams)
        png = latency.dots(table(kafka=[1, 2, 3])).png()
        assert dict(matplotlib.rcParams) == before
    assert png == plain  # and theirs do not shine through


def test_a_picture_is_the_same_bytes_for_the_same_rows_and_900_px_wide_in_a_notebook() -> None:
    rows = table(kafka=typical(1.4), rabbitmq=typical(1.8))
    one, two = latency.dots(rows, bet=5), latency.dots(rows, bet=5)
    data, metadata = one._repr_mimebundle_()
    assert data["image/png"] == two.png()
    assert data["text/plain"] == one.alt
    assert metadata["image/png"] == {"width": 900, "alt": one.alt}
    assert Image.open(io.BytesIO(data["image/png"])).width == 1800


def test_a_long_stamp_is_broken_once_near_its_middle() -> None:
    stamp = " · ".join(
        ["Kafka 4.4.0", "native", "RabbitMQ 4.0.5", "native", "one machine, 2 cores", "500 events on each"] * 2
    )
    (shown,) = [text for text in words(latency.dots(table(kafka=[1, 2]), stamp=stamp)) if "Kafka 4" in text]
    first, second = shown.split("\n")
    assert f"{first} · {second}" == stamp
    assert abs(len(first) - len(second)) < 25


def test_nothing_received_is_said_and_not_drawn() -> None:
    with pytest.raises(ValueError, match="no deliveries"):
        latency.dots(pd.DataFrame({"broker": [], "due_s": [], "received_s": []}))
