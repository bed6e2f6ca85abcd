"""The order microscope and the rails, drawn from a few rows."""

import io

import pytest
from matplotlib.patches import Circle, FancyArrowPatch
from PIL import Image
from rows import handled

from labkit.lessons.ordering.plots import microscope, rails
from labkit.lessons.ordering.plots.crowd import Crowd
from labkit.measure import order
from labkit.measure.result import Result
from labkit.plots import style

BROKEN = handled(("7", [2, 1, 3]), ("8", [1, 2, 3]), ("9", [3, 1, 2]))
WHOLE = handled(("7", [1, 2, 3]), ("8", [1, 2, 3]))


def words(picture: style.Picture) -> list[str]:
    found = [text.get_text() for text in picture.figure.texts]
    return found + [text.get_text() for ax in picture.figure.axes for text in ax.texts]


def test_the_title_counts_the_orders_that_were_handled_out_of_order() -> None:
    assert "2 of 3 orders were handled out of order" in words(microscope.lanes(BROKEN.to_frame()))
    assert "All 2 orders were handled in order" in words(microscope.lanes(WHOLE.to_frame()))


def test_every_broken_lane_has_its_sentence_and_every_whole_one_says_so() -> None:
    told = words(microscope.lanes(BROKEN.to_frame()))
    assert "paid 10 ms before placed" in told
    assert "packed 20 ms before paid" in told
    assert told.count("in order") == 1


def test_only_what_is_out_of_place_has_a_ring_and_an_arrow() -> None:
    def signs(trace_rows: object) -> tuple[int, int]:
        (ax,) = microscope.lanes(trace_rows).figure.axes  # type: ignore[arg-type]
        arrows = [patch for patch in ax.patches if isinstance(patch, FancyArrowPatch)]
        broken = "#d55e00"
        rings = [p for p in ax.patches if isinstance(p, Circle) and _hex(p) == broken and p.radius > 0.11]
        return len(rings), len(arrows)

    assert signs(BROKEN.to_frame()) == (2, 2)
    assert signs(WHOLE.to_frame()) == (0, 0)


def _hex(patch: Circle) -> str:
    from matplotlib.colors import to_hex

    return to_hex(patch.get_facecolor())


@pytest.mark.parametrize(
    ("seqs", "homes"),
    [
        ([2, 3, 4, 1, 5], {1: 0}),  # to the very front
        ([1, 5, 2, 3, 4], {5: 5}),  # to the very end
        ([2, 1, 4, 3, 5], {2: 2, 4: 4}),  # right behind 1, right behind 3
    ],
)
def test_an_arrow_leads_right_behind_the_event_that_should_come_before(seqs: list[int], homes: dict[int, int]) -> None:
    (lane,) = order.lanes(handled(("7", seqs)).to_frame())
    assert {lane.steps[at].seq: microscope._home(lane, at) for at in lane.out_of_place()} == homes


def test_the_share_is_told_as_a_number_and_none_as_none() -> None:
    assert "67 %" in words(microscope.lanes(BROKEN.to_frame()))
    assert {"0 %", "out of order: none"} <= set(words(microscope.lanes(WHOLE.to_frame())))


def test_the_lanes_shown_are_a_sample_from_the_widest_gap_down_and_two_that_held() -> None:
    lives = [(str(i), [2, 1, 3] if i < 20 else [1, 2, 3]) for i in range(40)]
    shown = microscope.choose(order.lanes(handled(*lives).to_frame()))
    assert [lane.out_of_order for lane in shown] == [True] * 7 + [False] * 2


def test_a_run_in_which_everything_broke_shows_nine_broken_lanes() -> None:
    lives = [(str(i), [2, 1, 3]) for i in range(40)]
    shown = microscope.choose(order.lanes(handled(*lives).to_frame()))
    assert [lane.out_of_order for lane in shown] == [True] * 9


def test_the_alternative_text_says_what_the_picture_shows() -> None:
    alt = microscope.lanes(BROKEN.to_frame()).alt
    assert alt.startswith("2 of 3 orders were handled out of order. ")
    assert "order 9 packed 20 ms before paid" in alt


def test_a_thousand_orders_fit_on_the_map() -> None:
    lives = [(str(i), [1, 2]) for i in range(1000)]
    png = microscope.lanes(handled(*lives).to_frame()).png()
    assert Image.open(io.BytesIO(png)).size == (1800, 1100)


def test_without_a_handled_event_there_is_nothing_to_draw() -> None:
    rows = handled(("7", [1])).to_frame().iloc[:1]
    for draw in (microscope.lanes, rails.rails):
        with pytest.raises(ValueError, match="nothing to draw"):
            draw(rows)
    with pytest.raises(ValueError, match="no trace"):
        microscope.draw(Result("", rows))


def test_the_rails_show_the_order_with_the_widest_gap_and_name_it() -> None:
    picture = rails.rails(BROKEN.to_frame())
    assert "Order 9 was packed 20 ms before it was paid" in words(picture)
    assert "3 after 12 ms, 1 after 22 ms, 2 after 32 ms" in picture.alt


def test_the_rails_show_the_order_that_is_asked_for() -> None:
    assert "Order 8 was handled in order" in words(rails.rails(BROKEN.to_frame(), key="8"))
    with pytest.raises(ValueError, match="no event of '99' was handled"):
        rails.rails(BROKEN.to_frame(), key="99")


def test_consumers_are_numbered_as_people_count_and_named_in_words() -> None:
    crowd = Crowd.of(["w#10", "w#2", "w#1"])
    assert list(crowd.names) == ["w#1", "w#2", "w#10"]
    assert crowd.said("w#10") == "w 10"
    assert Crowd.of(["w#1"]).said("w#1") == "w", "as the stage has it, where there is no other"
    assert Crowd.of(["w#1.1", "w#1.2"]).said("w#1.2") == "worker 2"
    assert Crowd.of(["w#1.1", "w#2.1"]).said("w#2.1") == "worker 2.1"
    assert Crowd.of(["w#1", "w#retry"]).said("w#retry") == "w retry"
