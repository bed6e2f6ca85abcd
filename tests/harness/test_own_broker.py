"""A broker of a run's own."""

import pytest
from own_broker import left_behind

from labkit.harness.own_broker import own_broker
from labkit.provision import embedded


def test_a_broker_of_ones_own_is_there_until_the_end_of_the_with_and_then_nothing_of_it() -> None:
    with pytest.raises(ValueError, match="of the body"), own_broker(embedded.start_kafka) as (started, folder):
        assert started.alive() and folder.exists()
        assert len(left_behind()) >= 2, "its folder and its process"
        raise ValueError("of the body")
    assert not started.alive() and not left_behind()
