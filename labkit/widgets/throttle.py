"""Fewer pushes: a browser shows about ten a second, and falls seconds behind when it is sent more."""

import threading
import time
from collections.abc import Callable
from typing import Any

PUSH_EVERY_S = 0.1


class Throttle:
    """Calls `push` with the newest values, at most once in `every_s` seconds. The last values are never dropped.

    Safe from any thread. `stop()` drops what still waits, and returns when no push is under way.
    """

    def __init__(self, push: Callable[..., None], every_s: float = PUSH_EVERY_S) -> None:
        self._push = push
        self._every_s = every_s
        self._lock = threading.Lock()
        self._last_s = float("-inf")
        self._waiting: tuple[Any, ...] | None = None
        self._timer: threading.Timer | None = None
        self._stopped = False

    def __call__(self, *values: Any) -> None:
        with self._lock:
            if self._stopped:
                return
            wait_s = self._last_s + self._every_s - time.monotonic()
            if wait_s <= 0 and self._timer is None:
                self._now(values)
                return
            self._waiting = values
            if self._timer is None:
                self._timer = threading.Timer(max(wait_s, 0), self._late)
                self._timer.daemon = True
                self._timer.start()

    def progress(self, done: float | None, words: str = "") -> None:
        """What a run is handed as `progress`: the part that is done, within 0 to 1, and a few words."""
        self(None if done is None else min(max(float(done), 0.0), 1.0), words or "Running …")

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    def _late(self) -> None:
        with self._lock:
            self._timer = None
            if self._waiting is not None and not self._stopped:
                self._now(self._waiting)

    def _now(self, values: tuple[Any, ...]) -> None:
        self._last_s = time.monotonic()
        self._waiting = None
        self._push(*values)
