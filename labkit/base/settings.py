"""What the environment says: every `LABKIT_*` variable, read in one place, refused at the start when it is wrong."""

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from labkit.base.errors import SettingError

RUNGS = ("external", "docker", "native", "embedded")

_MEANING = {
    "LABKIT_HOME": "folder for everything the lab writes (default: .lab in the course folder)",
    "LABKIT_CACHE": "folder for downloads, shared by several labs (default: cache in LABKIT_HOME)",
    "LABKIT_GRACE_S": "seconds that a lab which nobody uses waits before it stops itself (default: 300)",
    "LABKIT_PATIENCE": "factor for every limit of time, for a slow or a busy machine (default: 1)",
    "LABKIT_FROM": f"where brokers may come from, comma separated, of {', '.join(RUNGS[:3])} (default: all)",
    "LABKIT_KAFKA": "bootstrap servers of a Kafka that already runs: host:port[,host:port]",
    "LABKIT_KAFKA_CONFIG": "a librdkafka properties file for that Kafka (TLS, SASL)",
    "LABKIT_RABBITMQ": "amqp:// or amqps:// URL of a RabbitMQ that already runs",
    "LABKIT_MAVEN_URL": "address of a Maven repository to take Kafka's jars from, instead of the public one",
    "LABKIT_CHROMIUM": "path of a Chromium or Chrome for the browser tests (default: found on PATH)",
    "LABKIT_IN_VENV": "set by labkit itself when it has moved into .venv",
}


@dataclass(frozen=True)
class Settings:
    """The settings of one lab. Paths are absolute; they exist only once something is written there."""

    home: Path
    cache: Path
    grace_s: float = 300.0
    rungs: tuple[str, ...] = ("external", "docker", "native")
    kafka: str | None = None
    kafka_config: Path | None = None
    rabbitmq: str | None = None
    maven_url: str | None = None


def course_root() -> Path:
    """The folder of the clone: the one that holds `labkit`, `notebooks` and `docker`."""
    return Path(__file__).resolve().parents[2]


def read(env: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from `env` (default: the process's environment).

    Raises SettingError that names the variable, for an unknown `LABKIT_*` name as well as for a bad value.
    """
    env = os.environ if env is None else env
    _refuse_unknown(env)
    patience(env)
    home = _folder(env, "LABKIT_HOME", course_root() / ".lab")
    return Settings(
        home=home,
        cache=_folder(env, "LABKIT_CACHE", home / "cache"),
        grace_s=_number(env, "LABKIT_GRACE_S", 300.0, 0, 86_400, " (a day)"),
        rungs=_rungs(env),
        kafka=_servers(env, "LABKIT_KAFKA"),
        kafka_config=_file(env, "LABKIT_KAFKA_CONFIG"),
        rabbitmq=_url(env, "LABKIT_RABBITMQ", ("amqp", "amqps")),
        maven_url=_url(env, "LABKIT_MAVEN_URL", ("http", "https")),
    )


def patience(env: Mapping[str, str] | None = None) -> float:
    """`LABKIT_PATIENCE` alone (see `labkit.base.patience`): it is asked for often. Raises SettingError."""
    return _number(os.environ if env is None else env, "LABKIT_PATIENCE", 1.0, 0, 100, "")


def _refuse_unknown(env: Mapping[str, str]) -> None:
    for name in env:
        if name.startswith("LABKIT_") and name not in _MEANING:
            near = difflib.get_close_matches(name, _MEANING, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are: {', '.join(_MEANING)}"
            raise SettingError(f"{name} is set, and there is no such setting.", f"{hint} (unset {name} to go on)")


def _bad(name: str, value: str, why: str) -> SettingError:
    return SettingError(f"{name}={value!r}: {why}.", f"{name} is the {_MEANING[name]}; correct or unset it")


def _folder(env: Mapping[str, str], name: str, default: Path) -> Path:
    value = env.get(name)
    if not value:
        return default
    path = Path(value).expanduser().absolute()
    if path.exists() and not path.is_dir():
        raise _bad(name, value, "that is a file, not a folder")
    return path


def _file(env: Mapping[str, str], name: str) -> Path | None:
    value = env.get(name)
    if not value:
        return None
    path = Path(value).expanduser().absolute()
    if not path.is_file():
        raise _bad(name, value, "there is no such file")
    return path


def _number(env: Mapping[str, str], name: str, default: float, above: float, most: float, meaning: str) -> float:
    value = env.get(name)
    if not value:
        return default
    try:
        number = float(value)
    except ValueError:
        raise _bad(name, value, "that is not a number") from None
    if not above < number <= most:  # also refuses nan
        raise _bad(name, value, f"it must be more than {above:g} and at most {most:g}{meaning}")
    return number


def _rungs(env: Mapping[str, str]) -> tuple[str, ...]:
    value = env.get("LABKIT_FROM")
    if not value:
        return RUNGS[:3]
    chosen = tuple(part.strip() for part in value.split(",") if part.strip())
    wrong = [part for part in chosen if part not in RUNGS[:3]]
    if wrong or not chosen:
        raise _bad("LABKIT_FROM", value, f"{', '.join(wrong) or 'nothing'} is not one of {', '.join(RUNGS[:3])}")
    return chosen


def _servers(env: Mapping[str, str], name: str) -> str | None:
    value = env.get(name)
    if not value:
        return None
    for server in value.split(","):
        host, _, port = server.strip().rpartition(":")
        if not host or not port.isdigit() or not 0 < int(port) < 65_536:
            raise _bad(name, value, f"{server.strip()!r} is not host:port")
    return value


def _url(env: Mapping[str, str], name: str, schemes: tuple[str, ...]) -> str | None:
    value = env.get(name)
    if not value:
        return None
    parts = urlsplit(value)
    if parts.scheme not in schemes:
        # The value can hold a password: it is not repeated.
        raise _bad(name, "…", f"it must begin with {' or '.join(s + '://' for s in schemes)}")
    if not parts.hostname:
        raise _bad(name, "…", "it names no host")
    return value
