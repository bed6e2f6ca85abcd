"""What the course needs, as pyproject.toml names it, and whether an interpreter has it."""

import re
import sys
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

_FORM = re.compile(r"(?P<name>[\w.-]+)>=(?P<least>[\d.]+)(; sys_platform == '(?P<platform>\w+)')?")


@dataclass(frozen=True)
class Requirement:
    """A package and the oldest version that will do. platform: only needed there (a `sys.platform`)."""

    name: str
    least: tuple[int, ...]
    platform: str | None = None


def required(root: Path, extra: str | None = None) -> list[Requirement]:
    """The packages of pyproject.toml in `root`, with those of `extra` if one is named.

    Raises ValueError for a line that is not of the simple form `name>=1.2; sys_platform == 'linux'`.
    """
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    lines = list(project["dependencies"])
    if extra:
        lines += project["optional-dependencies"][extra]
    return [_parse(line) for line in lines]


def missing(needed: Iterable[Requirement], path: Sequence[str] | None = None) -> list[str]:
    """The names of `needed` that are absent or too old.

    path: folders to look in (a `site-packages`); by default, where this interpreter looks.
    """
    return [one.name for one in needed if one.platform in (None, sys.platform) and not _there(one, path)]


def _parse(line: str) -> Requirement:
    match = _FORM.fullmatch(line)
    if not match:
        raise ValueError(f"pyproject.toml: {line!r} is not of the form name>=version")
    return Requirement(match["name"], _numbers(match["least"]), match["platform"])


def _there(one: Requirement, path: Sequence[str] | None) -> bool:
    for found in metadata.distributions(name=one.name, path=list(sys.path if path is None else path)):
        version = found.metadata["Version"]  # None when an installation was cut short
        return bool(version) and _numbers(version) >= one.least  # the first one found is the one that is imported
    return False


def _numbers(version: str) -> tuple[int, ...]:
    """`2.12.0rc1` as (2, 12, 0): enough to compare with a lower bound."""
    digits = re.match(r"[\d.]*", version)
    return tuple(int(part) for part in (digits.group() if digits else "").split(".") if part)
