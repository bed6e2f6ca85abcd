"""Find a RabbitMQ that is new enough: what is on PATH (conda, Homebrew, the distribution), else Debian's packages."""

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from labkit.base.errors import BrokerError
from labkit.provision import debian_rabbitmq
from labkit.provision.model import Say

OLDEST = (3, 12)
_FOLDER = re.compile(r"rabbitmq(?:_server)?[-/](\d+\.\d+\.\d+)")


@dataclass(frozen=True)
class Program:
    """An installed RabbitMQ: its server script, its version, the folder with `erl`, and where it was found."""

    server: Path
    version: str
    erlang: Path
    found: str


def find(cache: Path, say: Say, env: Mapping[str, str] | None = None) -> Program:
    """What is on PATH if it is new enough, else the distribution's packages, unpacked privately."""
    env = os.environ if env is None else env
    on_path = _on_path(env)
    if on_path and _number(on_path.version) >= OLDEST:
        return on_path
    try:
        root = debian_rabbitmq.provide(cache, say)
    except BrokerError as error:
        seen = f"RabbitMQ {on_path.version} on PATH is too old" if on_path else "no rabbitmq-server on PATH"
        raise BrokerError(
            f"{seen}; {error.what}",
            f"{error.cure} (conda install -c conda-forge rabbitmq-server, brew install rabbitmq)",
        ) from error
    server = next(root.glob("usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server"))
    return Program(
        server, server.parents[1].name.split("-")[1], root / "usr/lib/erlang/bin", "Debian's packages, unpacked"
    )


def _on_path(env: Mapping[str, str]) -> Program | None:
    """The rabbitmq-server on PATH. Its folder's name tells the version: asking the program would start a server."""
    path = env.get("PATH", "")
    script, erl = shutil.which("rabbitmq-server", path=path), shutil.which("erl", path=path)
    if not script or not erl:
        return None
    for server in _candidates(Path(script).resolve()):
        version = _FOLDER.search(str(server))
        if version:
            return Program(server, version[1], Path(erl).parent, "PATH")
    return None


def _candidates(script: Path) -> Iterator[Path]:
    """The script itself, then what lies where packagers put it.

    A distribution's own script is a wrapper that insists on root or the rabbitmq user; the real one is in a folder that
    carries the version.
    """
    yield script
    prefix = script.parents[1]
    for root in (prefix / "lib", prefix / "libexec", Path("/usr/lib/rabbitmq/lib")):
        yield from sorted(root.glob("**/rabbitmq_server-*/sbin/rabbitmq-server"))


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
