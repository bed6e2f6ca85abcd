"""A widget under the panel's picture, made from the result."""

from typing import Any

import ipywidgets
import pytest
import toy_experiment as toy

from labkit.base.errors import LabError
from labkit.measure.result import Result
from labkit.widgets.panel import Panel, panel


def words(result: Result) -> Any:
    return ipywidgets.HTML(result.sentence)


def with_words() -> Panel:
    return panel(toy.run, toy.draw, below=words, delay_ms=(0, 500, 50), keyed=True)


def test_nothing_stands_under_a_panel_that_has_not_run() -> None:
    board = with_words()
    assert board.below is None
    assert board._below.box.layout.display == "none"


def test_every_run_makes_the_widget_anew_and_closes_the_one_before() -> None:
    board = with_words()
    first = board.run()
    before = board.below
    assert before.value == first.sentence
    board.controls["keyed"].value = False
    second = board.run()
    assert board.below.value == second.sentence != first.sentence
    assert before.comm is None
    assert board._below.box in board._box.children
    assert board._below.box.layout.display == ""


def test_a_run_that_fails_leaves_the_widget_of_the_run_before_it() -> None:
    board = panel(toy.run, toy.draw, below=words, workers=(0, 8))
    board.run()
    before = board.below
    board.controls["workers"].value = 0
    with pytest.raises(LabError):
        board.run()
    assert board.below is before
    assert before.comm is not None


def test_a_widget_that_cannot_be_made_is_an_error_of_the_run_and_the_last_result_stays() -> None:
    def refuses(result: Result) -> Any:
        if len(result.anomalies):
            raise LabError("This cannot be shown.", "show something else")
        return words(result)

    board = panel(toy.run, toy.draw, below=refuses, keyed=True)
    first = board.run()
    board.controls["keyed"].value = False
    with pytest.raises(LabError, match="cannot be shown"):
        board.run()
    assert board.result is first
    assert not board.run_button.disabled


def test_a_panel_without_it_is_as_it_was() -> None:
    board = panel(toy.run, toy.draw, keyed=True)
    board.run()
    assert board.below is None
