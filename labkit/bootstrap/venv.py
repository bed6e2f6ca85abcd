"""The folder .venv: whose it is, whether it is whole, and what it was made from.

A marker file in it says so. It is written first, as `making`, and last, as `ready`: one that was killed in between is
known and made anew. It holds the hash of the lock file: a changed lock is noticed, and the next start is instant.
"""

import hashlib
import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from labkit.bootstrap import packages

LOCKS = {None: "course.lock", "test": "test.lock"}
"""The lock file for each extra. test.lock holds everything of course.lock."""


@dataclass(frozen=True)
class Venv:
    """A virtual environment for the course in `root`. The folder need not exist yet."""

    folder: Path
    root: Path

    @property
    def python(self) -> Path:
        return self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    @property
    def site(self) -> Path:
        """Where its packages are."""
        if os.name == "nt":
            return self.folder / "Lib" / "site-packages"
        found = sorted(self.folder.glob("lib/python3.*/site-packages"))
        return found[-1] if found else self.folder / "lib/python3/site-packages"

    @property
    def marker(self) -> Path:
        return self.folder / "labkit.json"

    def mark(self, state: str, lock: str = "") -> None:
        """Write the marker. state: `making` or `ready`. lock: the lock file it was made from."""
        said = {"state": state, "root": str(self.root), "lock": lock, "sha256": self._sha256(lock) if lock else ""}
        new = self.marker.with_suffix(".new")
        new.write_text(json.dumps(said), "utf-8")
        new.replace(self.marker)

    def says(self) -> dict[str, str]:
        """What the marker says; nothing when there is none, or a damaged one."""
        try:
            said = json.loads(self.marker.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return said if isinstance(said, dict) else {}

    def is_whole(self) -> bool:
        """Made to the end, for this folder (a venv cannot be moved), and its Python is still there."""
        said = self.says()
        return said.get("state") == "ready" and said.get("root") == str(self.root) and self.python.exists()

    def is_ready(self, extra: str | None) -> bool:
        """Whole, and made from the lock file of `extra` as it is now."""
        said = self.says()
        wide_enough = said.get("lock") in {LOCKS[extra], LOCKS["test"]}
        return self.is_whole() and wide_enough and said["sha256"] == self._sha256(said["lock"])

    def is_foreign(self) -> bool:
        """Somebody else made it: it is never changed or removed."""
        return self.folder.exists() and not self.marker.exists() and any(self.folder.iterdir())

    def serves(self, extra: str | None) -> bool:
        """True when somebody else's venv has all that is needed, labkit too (as `pip install -e .` leaves it)."""
        if not self.python.exists():
            return False
        needed = packages.required(self.root, extra)
        has_labkit = any(self.site.glob("labkit*.pth")) or any(self.site.glob("labkit-*.dist-info"))
        return has_labkit and not packages.missing(needed, [str(self.site)])

    def lock_for(self, extra: str | None) -> str:
        """The lock file to install: a venv that once got the tests' packages keeps them."""
        return LOCKS["test"] if self.says().get("lock") == LOCKS["test"] else LOCKS[extra]

    def begin(self) -> None:
        """Remove what is there, and leave an empty folder that is marked as half made."""
        if self.folder.exists():
            shutil.rmtree(self.folder)
        self.folder.mkdir(parents=True)
        self.mark("making")

    def add_labkit(self) -> None:
        """Make `import labkit` work from everywhere in it (a kernel's working folder is `notebooks`)."""
        (self.site / "labkit.pth").write_bytes(os.fsencode(f"{self.root}\n"))

    def is_running_here(self) -> bool:
        return Path(sys.prefix).resolve() == self.folder.resolve()

    def _sha256(self, lock: str) -> str:
        try:
            return hashlib.sha256((self.root / "requirements" / lock).read_bytes()).hexdigest()
        except OSError:
            return "no such lock"
