"""Settings: what LABKIT_* may say, and what is refused at the start."""

import math
from pathlib import Path

import pytest

from labkit.base import settings
from labkit.base.errors import SettingError

GOOD = {
    "LABKIT_GRACE_S": "12.5",
    "LABKIT_FROM": "native, docker",
    "LABKIT_KAFKA": "b1:9092,b2:9092",
    "LABKIT_RABBITMQ": "amqps://u:p@host/%2F",
}


def test_without_variables_the_lab_lives_in_the_course_folder():
    found = settings.read({})
    assert found.home == settings.course_root() / ".lab"
    assert found.cache == found.home / "cache"
    assert found.rungs == ("external", "docker", "native")


def test_every_variable_is_read():
    found = settings.read(GOOD)
    assert (found.grace_s, found.rungs, found.kafka) == (12.5, ("native", "docker"), "b1:9092,b2:9092")


def test_the_cache_follows_the_home(tmp_path):
    assert settings.read({"LABKIT_HOME": str(tmp_path)}).cache == tmp_path / "cache"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LABKIT_GRACE_S", "soon"),
        ("LABKIT_GRACE_S", "0"),
        ("LABKIT_GRACE_S", "-1"),
        ("LABKIT_GRACE_S", str(math.nan)),
        ("LABKIT_GRACE_S", str(math.inf)),
        ("LABKIT_PATIENCE", "a lot"),
        ("LABKIT_PATIENCE", "0"),
        ("LABKIT_PATIENCE", "101"),
        ("LABKIT_FROM", "podman"),
        ("LABKIT_FROM", ","),
        ("LABKIT_KAFKA", "broker"),
        ("LABKIT_KAFKA", "broker:http"),
        ("LABKIT_KAFKA", "broker:70000"),
        ("LABKIT_KAFKA_CONFIG", "/no/such/file"),
        ("LABKIT_RABBITMQ", "http://host"),
        ("LABKIT_RABBITMQ", "amqp://"),
        ("LABKIT_MAVEN_URL", "repo"),
        ("LABKIT_HOME", __file__),
    ],
)
def test_a_bad_value_is_refused_with_the_settings_name(name, value):
    with pytest.raises(SettingError, match=name):
        settings.read({name: value})


def test_a_mistyped_name_is_refused_and_the_right_one_proposed():
    with pytest.raises(SettingError, match="did you mean LABKIT_GRACE_S"):
        settings.read({"LABKIT_GRACE": "5"})


def test_a_refused_url_does_not_show_its_password():
    with pytest.raises(SettingError) as error:
        settings.read({"LABKIT_RABBITMQ": "amq://me:secret@host"})
    assert "secret" not in str(error.value)


def test_a_relative_home_is_made_absolute():
    assert settings.read({"LABKIT_HOME": "here"}).home == Path.cwd() / "here"
