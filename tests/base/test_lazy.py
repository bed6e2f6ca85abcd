"""Names that are loaded when they are used. The package here is labkit.base itself."""

import pytest

from labkit.base import lazy, wait

load, names = lazy.attach("labkit.base", "wait", "wait:until")


def test_a_name_is_a_module_or_what_the_module_has_under_that_name() -> None:
    assert load("wait") is wait
    assert load("until") is wait.until
    assert names() == ["until", "wait"]


def test_a_name_that_is_not_there_is_an_attribute_error_as_in_any_module() -> None:
    with pytest.raises(AttributeError, match=r"'labkit.base' has no attribute 'ports'"):
        load("ports")
