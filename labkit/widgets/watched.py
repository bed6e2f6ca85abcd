"""Does anybody look? A panel that says "Stopping …" must know that its run looks whether it is cancelled."""

import threading


class Watched:
    """A flag that remembers whether it was looked at. flag: what is looked at."""

    def __init__(self, flag: threading.Event) -> None:
        self._flag = flag
        self.was_seen = False

    def is_set(self) -> bool:
        self.was_seen = True
        return self._flag.is_set()
