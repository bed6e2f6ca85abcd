"""The processes of a shop that a test has opened."""

import contextlib

import psutil


def shop_processes() -> list[str]:
    """The services of a shop that this process has started, by their command lines."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if any("labkit.shop.serve" in word for word in process.cmdline()):
                found.append(" ".join(process.cmdline()))
    return found
