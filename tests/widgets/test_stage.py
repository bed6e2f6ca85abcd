"""The stage without a browser: what it says, what it shows in a saved notebook, what it refuses."""

import io
from typing import Any

import pandas as pd
import pytest
import stage_runs
import traitlets
from PIL import Image
from scene_rows import rabbit

from labkit.events.rows import Row
from labkit.events.trace import Trace
from labkit.measure import scene
from labkit.measure.result import Result
from labkit.plots import stage as drawn
from labkit.plots import style
from labkit.widgets.stage import Stage, StageError, stage


@pytest.fixture
def kafka() -> Stage:
    return stage(stage_runs.rows("kafka_spread"))


@pytest.mark.parametrize("kind", ["rows", "trace", "table", "result"])
def test_whatever_has_rows_can_be_staged(kind: str) -> None:
    rows = stage_runs.rows("kafka_keyed")
    trace = Trace(rows)
    result = Result("All is well.", pd.DataFrame(), trace=trace)
    given: dict[str, Any] = {"rows": rows, "trace": trace, "table": trace.to_frame(), "result": result}
    assert stage(given[kind]).scene == scene.build(rows)


def test_nothing_moves_before_play_is_pressed(kafka: Stage) -> None:
    assert (kafka.t, kafka.playing, kafka.slow) == (0.0, False, 200.0)


def test_it_begins_with_the_first_broken_key(kafka: Stage) -> None:
    assert kafka.key == "order-8"
    assert kafka.words["title"] == "Order 8: paid overtakes placed"
    assert stage(stage_runs.rows("kafka_keyed")).key == "order-1"


def test_another_key_has_another_title_and_other_words(kafka: Stage) -> None:
    before = kafka.words
    kafka.key = "order-1"
    assert kafka.words["title"].startswith("Order 1:")
    assert kafka.words["lines"] != before["lines"]


def test_the_clock_says_what_has_happened_last(kafka: Stage) -> None:
    last = kafka.words["lines"][-1]
    kafka.at_s = last[0]
    assert kafka.t == last[0]
    assert kafka.alt.endswith(last[2])
    assert "Nothing yet" in stage(stage_runs.rows("kafka_spread"), key="order-8").alt


def test_the_clock_stays_inside_the_run(kafka: Stage) -> None:
    kafka.t = 1e6
    assert kafka.t == kafka.end_s
    kafka.t = -1
    assert kafka.t == 0


@pytest.mark.parametrize("slow", [0, -1, float("nan")])
def test_a_speed_is_above_zero(slow: float) -> None:
    with pytest.raises(StageError, match="is no speed"):
        stage(stage_runs.rows("kafka_keyed"), slow=slow)


def test_an_unknown_key_names_the_known_ones(kafka: Stage) -> None:
    with pytest.raises(StageError, match="order-1, order-2"):
        kafka.key = "order-99"
    with pytest.raises(StageError, match="order-99"):
        stage(stage_runs.rows("kafka_keyed"), key="order-99")
    assert kafka.key == "order-8"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (Trace(), "nothing to replay"),
        (Result("No trace.", pd.DataFrame()), "has no trace"),
        (pd.DataFrame({"t_ns": [1]}), "no column"),
        ([Row(1, "asked", "3")], "nothing to replay"),
    ],
)
def test_what_cannot_be_staged_is_refused_with_a_cure(given: Any, words: str) -> None:
    with pytest.raises(StageError, match=words) as caught:
        stage(given)
    assert caught.value.cure


def test_a_saved_notebook_has_a_picture_and_a_sentence(kafka: Stage) -> None:
    data, about = kafka._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    assert data["text/plain"] == "The run in slow motion. Order 8: paid overtakes placed."
    assert data["image/png"] == kafka.png() == stage(stage_runs.rows("kafka_spread")).png()
    assert about["image/png"]["width"] == style.SHOWN_PX
    assert about["image/png"]["alt"].startswith("Order 8: paid overtakes placed. Three moments")


@pytest.mark.parametrize("name", stage_runs.NAMES)
def test_every_run_has_a_picture_with_something_on_it(name: str) -> None:
    found = stage(stage_runs.rows(name))
    image = Image.open(io.BytesIO(found.png())).convert("RGB")
    assert image.width == style.WIDTH_IN * style.DPI
    colours = {pixel for _, pixel in image.getcolors(1 << 24) or []}
    broken = tuple(int(style.BROKEN[i : i + 2], 16) for i in (1, 3, 5))
    near = [c for c in colours if max(abs(a - b) for a, b in zip(c, broken, strict=True)) < 12]
    assert bool(near) == bool(found.scene["out_of_order"]), "the colour of what is broken is on what is broken, only"


def test_the_three_moments_are_moments_of_the_key(kafka: Stage) -> None:
    k = kafka.scene["keys"].index(kafka.key)
    (board,) = kafka.scene["boards"]
    told = {time for time, _, _ in kafka.words["lines"]}
    three = drawn._three(board, k)
    assert len(three) == 3
    assert set(three) <= told
    assert three == sorted(three)


def test_the_scripts_ask_for_nothing_outside(kafka: Stage) -> None:
    assert len(kafka._esm) > 10_000
    for word in ("import ", "fetch(", "http:", "https:", "url(", "eval(", "innerHTML"):
        assert word not in kafka._esm, word
        assert word not in kafka._css, word


def test_what_the_browser_sets_is_checked_too(kafka: Stage) -> None:
    kafka.set_state({"key": "order-2", "t": 0.1, "playing": True, "slow": 50.0})
    assert (kafka.key, kafka.t, kafka.playing, kafka.slow) == ("order-2", 0.1, True, 50.0)
    with pytest.raises(traitlets.TraitError):
        kafka.set_state({"slow": "quick"})


def test_a_story_without_trouble_ends_with_the_whole_run() -> None:
    found = stage(stage_runs.rows("kafka_keyed"))
    assert not found.scene["out_of_order"]
    (board,) = found.scene["boards"]
    last = max(time for cell in board["cells"] for time in scene.moments(cell))
    assert drawn._three(board, 0)[-1] == last


def test_the_chosen_keys_events_are_on_the_picture_however_many_others_are_out() -> None:
    rows = [rabbit(i, "received", "packing", key=f"order-{i}")._replace(event_id=f"e{i}") for i in range(9)]
    words = [text.get_text() for text in drawn.moments(scene.build(rows), "order-0").figure.axes[0].texts]
    assert words.count("1") == 3, "in each frame event 1 of the chosen order, which was received before all others"
    assert "hollow: received" in words, "no row says what was acknowledged"
