"""The pictures of lesson 01: what they say, that it comes from the rows, and that it fits whatever was measured."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from labkit.lessons.coupling.plots import coupling, failures, outage
from labkit.measure.result import Measure
from labkit.plots import latency, style
from labkit.teach import bets

DESIGNS = ("http", "retries", "defended", "kafka", "rabbitmq")
STAMP = (
    "Kafka 4.4.0 · native · RabbitMQ 4.0.5 · native · one machine, 2 cores · 50 orders per point, open loop, 25/s each"
)


@dataclass(frozen=True)
class Told:
    """What the pictures read of a Result."""

    deliveries: pd.DataFrame
    measures: Mapping[str, Measure] = field(default_factory=dict)

    def stamp(self) -> str:
        return STAMP


def row(design: str, latency_ms: float, due_s: float = 0.0, ok: bool = True, **more: Any) -> dict[str, Any]:
    """A checkout, as `table.checkouts` tells it."""
    event = design in ("kafka", "rabbitmq")
    told = {
        "reserved_s": due_s + 0.1 if ok else np.nan,
        "published_s": due_s if event else np.nan,
        "reservations": int(ok),
    }
    return {"design": design, "due_s": due_s, "latency_ms": latency_ms, "ok": ok} | told | more


def sweep(delays: Sequence[float] = (0, 100, 300, 500), n: int = 3, slow_events: bool = False) -> pd.DataFrame:
    """A sweep as lesson 01 has it: HTTP as slow as inventory, retries failing above 250 ms, events quick."""
    rows = []
    for delay in delays:
        for i in range(n):
            at: dict[str, Any] = {"delay_ms": delay, "due_s": i / 25, "reserved_s": i / 25 + (delay + 4) / 1000}
            rows.append(row("http", delay + 8.0, **at))
            late = delay > 250
            rows.append(
                row("retries", 820.0 if late else delay + 9.0, ok=not late, **at | {"reservations": 3 if late else 1})
            )
            rows.append(row("kafka", delay + 5.0 if slow_events else 5.0, **at))
            rows.append(row("rabbitmq", 6.0, **at))
    return pd.DataFrame(rows)


def out(designs: Sequence[str] = DESIGNS, n: int = 60) -> Told:
    """An outage from 0.5 to 1 s that retries never get over; HTTP is late, once."""
    rows = []
    for design in designs:
        for i in range(n):
            due = i / 20
            event = design in ("kafka", "rabbitmq")
            down = 0.5 <= due < 1.0 and not event
            fails = down or (design == "retries" and due > 1)
            ms = 5.0 if event else 800.0 if fails else 900.0 if design == "http" and i == 25 else 30.0
            rows.append(
                row(design, ms, due, not fails, reserved_s=np.nan if fails else due + (0.5 if 0.5 <= due < 1 else 0.02))
            )
    return Told(pd.DataFrame(rows), {"killed_at": Measure(0.5, "s"), "back_at": Measure(1.0, "s")})


def refused(n: int = 40) -> pd.DataFrame:
    """Random failures at 1 % and 5 %: the chain loses 0 and 6 orders, of which 4 are half done."""
    rows = []
    for refuse, lost in ((0.01, 0), (0.05, 6)):
        for design in ("http", "retries", "kafka", "rabbitmq"):
            for i in range(n):
                fails = design == "http" and i < lost
                told = {"refuse": refuse, "predicted": not fails, "reservations": int(not fails or i < 4)}
                rows.append(row(design, 5.0, i / 40, not fails, **told))
    return pd.DataFrame(rows)


def words(picture: style.Picture) -> list[str]:
    return [text.get_text() for text in picture.figure.findobj(Text) if text.get_text()]


def marks(figure: Figure, marker: str) -> list[Line2D]:
    return [line for line in figure.findobj(Line2D) if line.get_marker() == marker and len(line.get_xdata())]  # type: ignore[arg-type]


PICTURES: dict[str, Callable[[], style.Picture]] = {
    "p99": lambda: coupling.p99(sweep(), bets.curve("it", {0: 10, 500: 510}, unit="ms"), STAMP),
    "p99 with a bet far too high": lambda: coupling.p99(sweep(), {0: 10, 500: 9e5}, STAMP),
    "p99 with a bet that ends early": lambda: coupling.p99(sweep(), {0: 5, 250: 150}, STAMP),
    "p99 of one delay": lambda: coupling.p99(sweep(delays=(0,)), stamp=STAMP),
    "p99 of many delays": lambda: coupling.p99(sweep(delays=range(0, 520, 20)), stamp=STAMP),
    "p99 of events alone": lambda: coupling.p99(sweep().query("design == 'kafka'"), stamp=STAMP),
    "p99 with slow events": lambda: coupling.p99(sweep(slow_events=True), {0: 10}, STAMP),
    "lag": lambda: coupling.lag(sweep(), STAMP),
    "lag of one broker": lambda: coupling.lag(sweep(delays=(200,)).query("design == 'rabbitmq'"), STAMP),
    "outage": lambda: outage.timeline(out()),
    "outage with three designs": lambda: outage.timeline(out(("http", "retries", "kafka"))),
    "outage without events": lambda: outage.timeline(out(("http",))),
    "no outage": lambda: outage.timeline(Told(out(("http", "kafka")).deliveries)),
    "one checkout": lambda: outage.timeline(Told(pd.DataFrame([row("http", 3)]))),
    "failures": lambda: failures.bars(Told(refused())),
    "five failures": lambda: failures.bars(Told(refused().query("design == 'http'").tail(5))),
    "ecdf": lambda: latency.ecdf({"http": [100, 210], "kafka": [1, 2, 3], "rabbitmq": [2]}, STAMP),
}


@pytest.mark.parametrize("name", PICTURES)
def test_everything_is_inside_the_picture(name: str) -> None:
    figure = PICTURES[name]().figure
    width, height = figure.get_size_inches()
    drawn = figure.get_tightbbox()
    assert min(drawn.x0, drawn.y0, width - drawn.x1, height - drawn.y1) >= -0.01


@pytest.mark.parametrize("name", PICTURES)
def test_a_title_has_at_most_two_lines_that_are_not_too_long(name: str) -> None:
    title = PICTURES[name]().figure.texts[0].get_text().split("\n")
    assert len(title) <= 2
    assert max(map(len, title)) <= 60


@pytest.mark.parametrize("name", PICTURES)
def test_one_sentence_tells_it_to_those_who_do_not_see_it(name: str) -> None:
    alt = PICTURES[name]().alt
    assert alt.endswith(".")
    assert "\n" not in alt
    assert "nan" not in alt


@pytest.mark.parametrize("name", ["p99", "lag", "outage with three designs", "failures"])
def test_a_picture_is_the_same_bytes_for_the_same_rows(name: str) -> None:
    assert PICTURES[name]().png() == PICTURES[name]().png()


@pytest.mark.parametrize("name", PICTURES)
def test_what_wears_the_colour_of_broken_is_a_cross_or_a_box_with_a_cross_or_a_word(name: str) -> None:
    for line in PICTURES[name]().figure.findobj(Line2D):
        if style.BROKEN.lower() in (to_hex(line.get_color()), to_hex(line.get_markeredgecolor())):
            assert line.get_marker() in ("x", "s")


@pytest.mark.parametrize("draw", [coupling.p99, coupling.lag, lambda rows: outage.timeline(Told(rows))])
def test_no_rows_are_said_and_not_drawn(draw: Callable[[pd.DataFrame], object]) -> None:
    with pytest.raises(ValueError, match="nothing to draw"):
        draw(sweep().head(0))


def test_the_line_of_a_design_is_its_p99_and_the_slowest_where_there_are_few() -> None:
    rows = pd.DataFrame([row("http", ms, delay_ms=0.0) for ms in range(1, 201)])
    assert coupling.slowest(rows)["http"].tolist() == [198]
    assert coupling.slowest(rows.head(50))["http"].tolist() == [50]
    assert "p99 of checkout, ms" in words(coupling.p99(rows))
    assert "slowest of 50 checkouts, ms" in words(coupling.p99(rows.head(50)))


def test_the_title_of_a_sweep_tells_what_each_kind_of_design_did() -> None:
    said = coupling.p99(sweep()).figure.texts[0].get_text()
    assert (
        said == "A slow inventory makes an HTTP checkout slow;\nretries make it fail; with events it does not notice."
    )


def test_the_title_of_a_sweep_does_not_praise_events_that_were_slow() -> None:
    said = coupling.p99(sweep(slow_events=True)).figure.texts[0].get_text()
    assert "with events it takes up to 505 ms" in said.replace("\n", " ")
    assert "notice" not in said


def test_a_point_at_which_checkouts_fail_is_a_cross_and_the_others_are_not() -> None:
    figure = coupling.p99(sweep()).figure
    crosses = {float(x) for line in marks(figure, "x") for x in np.asarray(line.get_xdata())}
    squares = {float(x) for line in marks(figure, "s") for x in np.asarray(line.get_xdata())}
    assert crosses == {300, 500}
    assert squares == {0, 100}
    assert "every checkout fails,\nafter 0.82 s" in words(coupling.p99(sweep()))


def test_the_timeout_is_drawn_only_where_a_design_has_one() -> None:
    assert "timeout 250 ms" in words(coupling.p99(sweep()))
    assert "timeout 250 ms" not in words(coupling.p99(sweep().query("design != 'retries'")))
    assert "timeout 250 ms" not in words(coupling.p99(sweep(delays=(0, 100))))


def test_a_bet_that_is_far_too_high_does_not_squeeze_the_lines() -> None:
    picture = coupling.p99(sweep(), {0: 10, 500: 9e5})
    assert picture.figure.axes[0].get_ylim()[1] < 2000
    assert "your bet ↑" in words(picture)
    assert "your bet" in words(coupling.p99(sweep(), {0: 10, 500: 500}))
    assert not [text for text in words(coupling.p99(sweep())) if "bet" in text]


def test_labels_at_the_ends_of_lines_stay_apart_and_inside() -> None:
    found = style.spread([0.0, 0.01, 0.02, 2.0], gap=0.3, low=0.1, high=2.1)
    assert sorted(found) == found
    assert min(np.diff(found)) >= 0.3 - 1e-9
    assert found[0] >= 0.1
    assert style.spread([5, 5], gap=1, low=0, high=5) == [4, 5]
    assert style.spread([1.0], gap=1, low=0, high=5) == [1]


def test_a_title_is_broken_after_a_clause_when_it_can_be() -> None:
    assert style.two_lines("It is short.") == "It is short."
    said = style.two_lines("Half of the HTTP checkouts take 118 ms or more; with events 10 ms.")
    assert said == "Half of the HTTP checkouts take 118 ms or more;\nwith events 10 ms."


def test_lag_says_when_the_answer_came_and_when_the_stock_was_reserved() -> None:
    said = coupling.lag(sweep()).figure.texts[0].get_text().replace("\n", " ")
    assert "with events the answer comes after 6.0 ms, and the stock is reserved after 504 ms" in said


def test_an_answer_and_a_reservation_at_the_same_time_are_a_mark_in_a_box() -> None:
    figure = coupling.lag(sweep()).figure
    (box, *_), (mark, *_) = marks(figure, "s"), marks(figure, "D")
    assert box.get_markersize() > mark.get_markersize() * 2**0.5  # a diamond is as wide as its diagonal
    assert box.get_zorder() < mark.get_zorder()


def test_the_title_of_an_outage_tells_it_and_what_customers_noticed() -> None:
    said = outage.timeline(out()).figure.texts[0].get_text()
    assert said == "Inventory is dead for 0.5 s.\nWith events, no customer notices: the orders wait."


def test_the_title_of_an_outage_does_not_hide_events_that_were_late_or_failed() -> None:
    rows = out().deliveries
    late = rows.assign(latency_ms=rows["latency_ms"].where(rows["design"] != "kafka", 600.0))
    assert "60 of 120 are late" in outage.timeline(Told(late, out().measures)).figure.texts[0].get_text()
    lost = rows.assign(ok=rows["ok"] & (rows["design"] != "kafka"))
    assert (
        "With events 60 of 120 checkouts fail too"
        in outage.timeline(Told(lost, out().measures)).figure.texts[0].get_text()
    )


def test_another_than_inventory_may_be_down() -> None:
    measures = {"frozen_at": Measure(1.0, "s"), "thawed_at": Measure(2.0, "s")}
    picture = outage.timeline(Told(out(("http", "kafka")).deliveries, measures), who="The brokers are")
    assert picture.figure.texts[0].get_text().startswith("The brokers are frozen for 1 s.\n")
    assert "while the brokers are frozen for 1 s" in picture.alt


def test_every_checkout_is_one_mark_and_the_row_counts_them() -> None:
    told = out()
    picture = outage.timeline(told)
    for design, ax in zip(DESIGNS, picture.figure.axes[2:], strict=False):
        drawn = sum(len(np.asarray(line.get_xdata())) for line in ax.lines)
        assert drawn == (told.deliveries["design"] == design).sum()
    said = words(picture)
    assert "× 10 failed" in said  # HTTP
    assert "○ 1 late" in said
    assert said.count("0 failed") == 2


def test_a_design_that_never_recovers_is_told_and_one_that_does_is_not() -> None:
    assert words(outage.timeline(out())).count("awake since 1 s,\nand still failing") == 1
    assert not [t for t in words(outage.timeline(out(("http", "kafka")))) if "still failing" in t]
    told = out(("retries",))
    between = told.deliveries["due_s"].between(1.5, 2)  # well again, and then sick once more
    now_and_then = Told(told.deliveries.assign(ok=told.deliveries["ok"] | between), told.measures)
    assert not [t for t in words(outage.timeline(now_and_then)) if "still failing" in t]


@pytest.mark.parametrize("end_s", [1.0, 1.8, 2.2, 2.4])
def test_what_is_told_of_a_design_that_never_recovers_stays_clear_of_its_counts(end_s: float) -> None:
    told = out(("retries", "kafka"))
    measures = {"frozen_at": Measure(0.5, "s"), "thawed_at": Measure(end_s, "s")}
    figure = outage.timeline(Told(told.deliveries, measures)).figure
    figure.draw_without_rendering()
    (note,) = [text for text in figure.findobj(Text) if "still failing" in text.get_text()]
    (count,) = [text for text in figure.findobj(Text) if "× " in text.get_text() and text.get_text() != "× failed"]
    assert note.get_window_extent().x1 < count.get_window_extent().x0 - 4


def test_the_backlog_counts_events_that_are_published_and_not_yet_reserved() -> None:
    told = out(("http", "kafka"))
    assert "Kafka: up to 11, then 0" in words(outage.timeline(told))
    never = told.deliveries.assign(reserved_s=np.nan)
    assert "Kafka: up to 60, then 60" in words(outage.timeline(Told(never)))


def test_two_runs_have_the_same_scale_so_that_they_can_be_compared() -> None:
    quick = outage.timeline(Told(pd.DataFrame([row("http", 30)]))).figure.axes[2].get_ylim()
    slow = outage.timeline(Told(pd.DataFrame([row("http", 900)]))).figure.axes[2].get_ylim()
    assert quick == slow


def test_the_stamp_of_the_run_stands_below_it_unless_another_is_given() -> None:
    assert any("Kafka 4.4.0" in text for text in words(outage.timeline(out())))
    assert not any("Kafka 4.4.0" in text for text in words(outage.timeline(out(), stamp="mine")))


def test_failures_are_marks_beside_the_law_and_the_prediction() -> None:
    picture = failures.bars(Told(refused()))
    said = words(picture)
    assert (
        "Each of 3 services refuses 5 %: the chain loses 15 %.\nWith retries or with events no order is lost." in said
    )
    assert "│ the law: 40 × (1 − 0.95³) = 5.7     ▼ predicted from the seed: 6" in said
    assert "× 6" in said
    assert said.count("0") == 7
    crosses = [len(np.asarray(line.get_xdata())) for line in marks(picture.figure, "x")]
    boxes = [len(np.asarray(line.get_xdata())) for line in marks(picture.figure, "s")]
    assert (crosses, boxes) == ([6], [4])


def test_half_done_orders_are_told_to_those_who_do_not_see_the_picture() -> None:
    assert "6 of 40 (law 5.7, seed 6), 4 of them with the stock reserved" in failures.bars(Told(refused())).alt


def test_an_ecdf_names_the_fastest_and_the_slowest() -> None:
    picture = latency.ecdf({"http": [100, 210], "kafka": [1, 2, 3]})
    said = picture.figure.texts[0].get_text().replace("\n", " ")
    assert said == "Half of the events arrive within 2.0 ms (Kafka) to 100 ms (HTTP chain)."
    with pytest.raises(ValueError, match="no series"):
        latency.ecdf({})
