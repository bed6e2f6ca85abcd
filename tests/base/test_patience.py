"""One factor for every limit of time."""

import time

import pytest

from labkit.base import patience, wait
from labkit.base.errors import NotInTimeError, SettingError


def test_without_a_factor_a_limit_is_what_the_code_says(no_settings: None) -> None:
    assert patience.seconds(3) == 3


def test_the_factor_makes_every_wait_longer_and_the_error_says_how_long_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABKIT_PATIENCE", "4")
    start = time.monotonic()
    with pytest.raises(NotInTimeError, match=r"0\.4 s"):
        wait.until(lambda: False, 0.1, "it happens")
    assert time.monotonic() - start >= 0.4


def test_a_factor_that_is_no_number_is_refused_by_the_first_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABKIT_PATIENCE", "much")
    with pytest.raises(SettingError, match="LABKIT_PATIENCE"):
        wait.until(lambda: True, 1, "it happens")


def test_a_machine_is_measured_by_the_middle_of_its_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    loops = iter([9.0, 0.17, 0.17, 0.01, 0.17])
    monkeypatch.setattr(patience, "_loop_s", lambda: next(loops))
    assert patience.measured_slowness(5) == pytest.approx(2.0)
