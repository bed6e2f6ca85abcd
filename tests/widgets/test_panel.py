"""The panel without a browser: the same controls, the same run, the same words."""

import threading
from concurrent.futures import CancelledError
from functools import partial
from typing import Any

import pytest
import toy_experiment as toy
from matplotlib.figure import Figure

from labkit.base import wait
from labkit.base.errors import LabError
from labkit.harness.labels import label
from labkit.measure.result import Measure, Result
from labkit.widgets import controls, render
from labkit.widgets.labels import measure
from labkit.widgets.panel import Panel, panel
from labkit.widgets.throttle import Throttle


def shown(found: Panel) -> str:
    return str(found._out.value)


def status(found: Panel) -> str:
    return str(found._status.value)


class Gate:
    """A run that goes on when the test says so."""

    def __init__(self) -> None:
        self.begun, self.go_on, self.progress = threading.Event(), threading.Event(), None

    def run(self, size: int = 1, progress: Any = None, cancelled: threading.Event | None = None) -> str:
        self.progress = progress
        self.begun.set()
        assert self.go_on.wait(30)
        return f"size {size}"


# --- controls


@pytest.mark.parametrize(
    ("choice", "kind", "value"),
    [
        ((0, 500), "IntSlider", 100),
        ((0, 500, 50), "IntSlider", 100),
        ((0.0, 500.0), "FloatSlider", 100),
        ((200, 500), "IntSlider", 200),  # the default lies outside
        ([0, 100, 200], "Dropdown", 100),
        ([0, 200], "Dropdown", 0),
        ({"none": 0, "some": 100}, "Dropdown", 100),
        (("a", "b"), "Dropdown", "a"),
        (True, "Checkbox", True),
        ("words", "Text", "words"),
        (7, "IntText", 7),
    ],
)
def test_a_choice_becomes_a_control_that_begins_at_the_default_of_run(choice: object, kind: str, value: object) -> None:
    widget = panel(toy.run, delay_ms=choice).controls["delay_ms"]
    assert (type(widget).__name__, widget.value) == (kind, value)


def test_controls_are_called_by_words_and_units() -> None:
    made = panel(toy.run, labels={"keyed": "same key"}, delay_ms=(0, 9), failure_rate=(0.0, 0.2), keyed=True)
    assert [one.description for one in made.controls.values()] == ["delay (ms)", "failure rate", "same key"]
    assert made.controls["failure_rate"].readout_format == ".0%"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("delay_ms", 200, "delay 200 ms"),
        ("failure_rate", 0.015, "failure rate 1.5 %"),
        ("outage_s", 2.0, "outage 2 s"),
        ("keyed", True, "keyed yes"),
        ("kafka_linger_ms", 0, "Kafka linger 0 ms"),
        ("seed", None, "seed none"),
        ("kinds", ("kafka", "queue"), "kinds kafka, queue"),
    ],
)
def test_a_setting_reads_well(name: str, value: object, words: str) -> None:
    assert label(name, highest=1).with_value(value) == words


@pytest.mark.parametrize("span", [0.0003, 0.05, 0.2, 1, 7, 500, 12345])
def test_a_slider_of_broken_numbers_has_about_twenty_round_steps(span: float) -> None:
    step = controls.round_step(span)
    assert 7 <= span / step <= 21
    assert f"{step:e}"[0] in "125"


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"speed": (0, 1)}, "no speed in this experiment"),
        ({"delay_ms": (5, 1)}, "delay_ms=(5, 1): that is no range"),
        ({"delay_ms": (0, 10, 0)}, "that is no range"),
        ({"delay_ms": (1, 2, 3, 4)}, "two or three numbers"),
        ({"delay_ms": []}, "delay_ms has nothing to choose from"),
        ({"delay_ms": object()}, "makes no control"),
        ({"cancelled": True}, "cancelled cannot be a control"),
    ],
)
def test_a_wrong_control_is_refused_with_its_name(wanted: dict[str, Any], words: str) -> None:
    with pytest.raises(controls.PanelError) as caught:
        panel(toy.run, **wanted)
    assert words in caught.value.what


def test_a_run_that_would_miss_something_is_refused_until_it_is_given() -> None:
    def run(config: dict[str, str], n: int = 1) -> str:
        return f"{config} {n}"

    with pytest.raises(controls.PanelError, match="needs config"):
        panel(run, n=(1, 5))
    assert panel(partial(run, {"a": "b"}), n=(1, 5)).run() == "{'a': 'b'} 1"
    assert panel(partial(run, config={"a": "b"}), n=(1, 5)).run() == "{'a': 'b'} 1"


# --- a run from code


def test_without_a_browser_the_panel_does_the_same_work() -> None:
    made = panel(toy.run, toy.draw, delay_ms=(0, 500, 50), keyed=True)
    made.controls["keyed"].value = False
    made.controls["delay_ms"].value = 200
    result = made.run()
    assert isinstance(result, Result)
    assert result is made.result
    assert result.measures["p50"].value == 50
    assert result.sentence in shown(made)
    assert "delay 200 ms · keyed no" in shown(made)
    assert "data:image/png;base64," in shown(made)


def test_the_first_anomalies_are_told_and_the_rest_is_counted() -> None:
    made = panel(toy.run, keyed=False)
    made.run()
    assert shown(made).count("<b>×</b>") == render.SENTENCES
    assert "… and 2 more like these" in shown(made)


@pytest.mark.parametrize("plot", [toy.draw, toy.draw_figure])
def test_a_plot_may_return_a_picture_or_a_figure(plot: Any) -> None:
    made = panel(toy.run, plot)
    made.run()
    assert 'alt="' in shown(made)
    assert isinstance(toy.draw_figure(made.result), Figure)


def test_an_error_with_a_cure_is_shown_with_it_and_raised() -> None:
    made = panel(toy.run, workers=(0, 4))
    made.controls["workers"].value = 0
    with pytest.raises(LabError, match="Nobody works here"):
        made.run()
    assert "Nobody works here." in shown(made)
    assert "Cure: take at least one worker" in shown(made)


def test_an_unforeseen_error_is_shown_with_its_place_and_raised() -> None:
    made = panel(toy.run, broker=["broken"])
    with pytest.raises(KeyError):
        made.run()
    assert "no such broker" in shown(made)
    assert "toy_experiment.py" in shown(made)


def test_an_error_in_the_plot_is_shown_and_raised() -> None:
    def plot(_: Result) -> Figure:
        raise ZeroDivisionError("nothing to divide")

    with pytest.raises(ZeroDivisionError):
        panel(toy.run, plot).run()


def test_after_an_error_the_panel_works_again_and_the_last_result_stayed() -> None:
    made = panel(toy.run, workers=(0, 4))
    first = made.run()
    made.controls["workers"].value = 0
    with pytest.raises(LabError):
        made.run()
    assert made.result is first
    made.controls["workers"].value = 2
    made.run()
    assert "Nobody works here" not in shown(made)
    assert not made.run_button.disabled


def test_a_result_that_cannot_be_shown_leaves_no_panel_at_work() -> None:
    class Strange:
        anomalies = property(lambda self: 1 / 0)

    made = panel(Strange)
    with pytest.raises(ZeroDivisionError):
        made.run()
    assert not made.run_button.disabled
    with pytest.raises(ZeroDivisionError):
        made.run()


def test_what_a_result_says_is_not_taken_for_html() -> None:
    made = panel(lambda: "<script>alert(1)</script>")
    made.run()
    assert "<script>" not in shown(made)


# --- a run in the background


def test_the_run_button_works_in_the_background_and_only_once_at_a_time() -> None:
    gate = Gate()
    made = panel(gate.run, size=(1, 5))
    made.run_button.click()
    assert gate.begun.wait(10)
    assert made.run_button.disabled
    assert made.cancel_button.layout.display == ""
    made.run_button.click()  # a second press is no second run
    with pytest.raises(controls.PanelError, match="at work already"):
        made.run()
    gate.go_on.set()
    made.wait()
    assert made.result == "size 1"
    assert not made.run_button.disabled
    assert made.cancel_button.layout.display == "none"


def test_a_cancelled_run_leaves_the_last_result() -> None:
    made = panel(toy.run, steps=(1, 100_000))
    first = made.run()
    made.controls["steps"].value = 100_000
    made.run_button.click()
    wait.until(lambda: "step" in status(made), 10, "it is on its way")
    made.cancel_button.click()
    made.wait(20)
    assert made.result is first
    assert "Cancelled" in status(made)
    assert first.sentence in shown(made)
    made.controls["steps"].value = 2
    assert made.run() is not first


def test_a_run_that_cannot_be_stopped_is_thrown_away_when_it_is_cancelled() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def run() -> str:
        begun.set()
        assert go_on.wait(30)
        return "late"

    made = panel(run)
    made.run_button.click()
    assert begun.wait(10)
    made.cancel_button.click()
    assert "thrown away" in status(made)
    go_on.set()
    made.wait()
    assert made.result is None


def test_a_slider_that_moves_while_run_is_pressed_counts_as_it_ends_up() -> None:
    """What a busy browser does: the click comes first, the slider's last moves after it."""
    made = panel(toy.run, delay_ms=(0, 500, 50), steps=(1, 5))
    made.run_button.click()
    made.controls["delay_ms"].value = 300
    made.wait()
    assert "delay 300 ms" in shown(made)
    assert "controls have changed" not in status(made)


def test_an_error_in_the_background_is_shown_and_kept() -> None:
    made = panel(toy.run, broker=["broken"])
    made.run_button.click()
    made.wait()
    assert isinstance(made.error, KeyError)
    assert "no such broker" in shown(made)


def test_the_end_of_a_cancelled_run_has_the_last_word() -> None:
    """A quick run ends before the click on Cancel is through; "Stopping" must not be what stays."""
    begun, seen = threading.Event(), []

    def run(cancelled: threading.Event) -> None:
        begun.set()
        assert cancelled.wait(30)
        seen.append(status(made))

    made = panel(run)
    made.run_button.click()
    assert begun.wait(10)
    made.cancel_button.click()
    made.wait()
    assert "Stopping" in seen[0]
    assert "Cancelled" in status(made)


def test_cancel_does_nothing_when_nothing_runs() -> None:
    made = panel(toy.run, steps=(1, 5))
    before = status(made)
    made.cancel()
    assert status(made) == before
    assert made.run() is made.result


def test_an_interrupted_run_tells_its_threads_to_stop_and_gives_the_panel_back() -> None:
    seen: list[threading.Event] = []

    def run(cancelled: threading.Event) -> str:
        seen.append(cancelled)
        raise KeyboardInterrupt

    made = panel(run)
    with pytest.raises(KeyboardInterrupt):
        made.run()
    assert seen[0].is_set()
    assert not made.run_button.disabled


def test_a_run_may_end_itself_as_cancelled() -> None:
    def run(cancelled: threading.Event) -> str:
        raise CancelledError

    with pytest.raises(CancelledError):
        panel(run).run()


def test_progress_shows_words_and_a_bar() -> None:
    gate = Gate()
    made = panel(gate.run)
    made.run_button.click()
    assert gate.begun.wait(10)
    assert gate.progress is not None
    gate.progress(0.5, "half of <it>")
    wait.until(lambda: "half of &lt;it&gt;" in status(made), 10, "the words are there")
    assert 'aria-valuenow="50"' in status(made)
    gate.progress(7)
    wait.until(lambda: 'aria-valuenow="100"' in status(made), 10, "more than all is all")
    gate.go_on.set()
    made.wait()
    assert "progressbar" not in status(made)


def test_of_many_pushes_few_are_sent_and_the_last_is_among_them() -> None:
    sent: list[int] = []
    push = Throttle(sent.append, every_s=0.05)
    for number in range(20_000):
        push(number)
    wait.until(lambda: sent[-1] == 19_999, 10, "the last one came")
    assert len(sent) < 200
    push.stop()
    push(1)
    assert sent[-1] == 19_999


# --- comparing, and a notebook without a kernel


def test_two_runs_can_be_compared_and_what_differs_is_bold() -> None:
    made = panel(toy.run, toy.draw, delay_ms=(0, 500, 50), keyed=True)
    made.run()
    assert made.compare.layout.display == "none"
    made.controls["delay_ms"].value = 400
    made.run()
    assert made.compare.layout.display == ""
    made.compare.value = True
    assert shown(made).count("<img") == 2
    assert "<b>delay 100 ms</b> · keyed yes" in shown(made)
    assert "<td>half within</td><td>25 ms</td><td>100 ms</td>" in shown(made)
    assert "1 is equal." in shown(made)  # what got lost: nothing, both times
    assert "lost" not in shown(made)
    made.compare.value = False
    assert shown(made).count("<img") == 1


def compared(before: dict[str, Measure], now: dict[str, Measure]) -> str:
    runs = [render.Shown(Result("a", toy.run().deliveries, one), None, "") for one in (before, now)]
    return render.result(runs[1], {}, runs[0])


def test_whole_numbers_are_compared_without_a_decimal() -> None:
    assert "<td>5 orders</td>" in compared({"lost": Measure(5, "orders")}, {"lost": Measure(6, "orders")})


def test_a_comparison_shows_what_differs_and_counts_what_is_equal() -> None:
    before = {"http_lost": Measure(0, "orders"), "http_p99": Measure(5, "ms"), "http_dead": Measure(0, "orders")}
    said = compared(before, before | {"http_p99": Measure(9, "ms")})
    assert said.count("<td>") == 3
    assert "<td>HTTP chain: 99 of 100 within</td>" in said
    assert "2 are equal." in said
    same = compared(before, before)
    assert "<table" not in same
    assert "3 are equal." in same


def test_of_many_that_differ_the_first_are_shown_and_the_rest_is_counted() -> None:
    before = {f"n{i}": Measure(i, "orders") for i in range(render.MEASURES + 3)}
    said = compared(before, {name: Measure(one.value + 1, "orders") for name, one in before.items()})
    assert said.count("<td>") == 3 * render.MEASURES
    assert "3 more differ." in said
    assert "equal" not in said


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("retries_lag_p50", "HTTP with retries: lag, half within"),
        ("load_lateness_p99", "load lateness, 99 of 100 within"),
        ("inventory_kafka_effects", "inventory, Kafka: done"),
        ("kafka_late_reader_read", "Kafka: late reader read"),
        ("killed_at", "killed at"),
        ("kafka", "Kafka"),
        ("p50", "half within"),
    ],
)
def test_a_measure_is_called_by_words(name: str, words: str) -> None:
    assert measure(name) == words


def test_moved_controls_are_named_until_they_stand_where_they_stood() -> None:
    made = panel(toy.run, delay_ms=(0, 500, 50))
    made.run()
    made.controls["delay_ms"].value = 400
    assert "controls have changed" in status(made)
    made.controls["delay_ms"].value = 100
    assert "controls have changed" not in status(made)


def test_a_saved_notebook_keeps_the_picture_and_words_that_do_not_change() -> None:
    made = panel(toy.run, toy.draw, delay_ms=(0, 500, 50))
    data, _ = made._repr_mimebundle_()
    assert data["text/plain"] == "A panel with controls for delay."
    assert "image/png" not in data
    made.run()
    again = panel(toy.run, toy.draw, delay_ms=(0, 500, 50))
    again.run()
    data, metadata = made._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG")
    assert "drawn by a toy experiment" in data["text/plain"]
    assert metadata["image/png"]["alt"] in data["text/plain"]
    assert (data["image/png"], data["text/plain"]) == (
        again._repr_mimebundle_()[0]["image/png"],
        again._repr_mimebundle_()[0]["text/plain"],
    )
