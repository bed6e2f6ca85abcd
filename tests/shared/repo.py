"""The files of the repository, as the house tests read them."""

from collections.abc import Iterator
from pathlib import Path

from labkit.base.settings import course_root

ROOT = course_root()
_NOT_OURS = {
    ".git",
    ".hypothesis",
    ".lab",
    ".venv",
    "__pycache__",
    ".ipynb_checkpoints",
    "node_modules",
    "dist",
    "build",
}


def files(*suffixes: str) -> list[Path]:
    """All files that belong to the repository, with one of `suffixes` (none: all). Never an empty list."""
    found = [path for path in _walk(ROOT) if not suffixes or path.suffix in suffixes]
    assert found, f"no file with {suffixes} in {ROOT}"
    return found


def modules() -> list[str]:
    """The names of all modules of labkit."""
    paths = [path.relative_to(ROOT).with_suffix("") for path in _walk(ROOT / "labkit") if path.suffix == ".py"]
    names = {".".join(path.parts).removesuffix(".__init__") for path in paths}
    assert len(names) > 10
    return sorted(names - {"labkit.__main__"})


def _walk(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name in _NOT_OURS or (path.name.startswith(".") and path.name.endswith("_cache")):
            continue
        if path.is_dir():
            yield from _walk(path)
        else:
            yield path
