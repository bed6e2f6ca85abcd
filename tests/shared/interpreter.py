"""A new Python, and what it has loaded."""

import subprocess
import sys

import repo

from labkit.base import patience

LOADED = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)\nprint(*sys.modules)"


def python(code: str, *arguments: str, bare: bool = False) -> str:
    """What a new interpreter prints. bare: without any installed package."""
    flags = ["-S"] if bare else []
    done = subprocess.run(
        [sys.executable, *flags, "-c", code, *arguments],
        cwd=repo.ROOT,
        capture_output=True,
        text=True,
        timeout=patience.seconds(60),
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
