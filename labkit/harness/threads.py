"""The threads of a run: whoever waits for the run hears of an error in any of them."""

import threading
from collections.abc import Callable
from typing import Any


class Threads:
    """Threads that are ended together. fail: is handed what one of them raises."""

    def __init__(self, fail: Callable[[BaseException], None]) -> None:
        self._fail = fail
        self._threads: list[threading.Thread] = []

    def start(self, target: Callable[..., None], *arguments: Any) -> None:
        """Run it in a thread of its own, from now on."""

        def guarded() -> None:
            try:
                target(*arguments)
            except BaseException as error:
                self._fail(error)

        thread = threading.Thread(target=guarded, daemon=True)
        self._threads.append(thread)
        thread.start()

    def __len__(self) -> int:
        return len(self._threads)

    def join(self) -> None:
        """Wait until all have ended."""
        for thread in self._threads:
            thread.join()
