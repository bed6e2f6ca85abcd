"""What a run says while it is under way, and how it hears that it is to stop."""

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError

Progress = Callable[..., None]  # handed the part that is done (0 to 1, None: not known) and a few words


def go_on(
    cancelled: threading.Event | None, progress: Progress | None = None, done: float | None = None, words: str = ""
) -> None:
    """Say how far a run is (0 to 1). Raises CancelledError when the reader has pressed Cancel."""
    if cancelled is not None and cancelled.is_set():
        raise CancelledError("the run was cancelled")
    if progress is not None and words:
        progress(done, words)
