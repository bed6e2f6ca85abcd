"""What keeps a caller from making things worse: a budget for retries, and a breaker.

Retries answer a hiccup. Against a service that is down or slow they are more load on it, just when it can bear less.
"""

import time
from collections.abc import Callable


class RetryBudget:
    """Allows retries as a share of the calls: 0.1 lets one call in ten be repeated.

    share: what each call pays in. start: retries that are allowed before any call has paid. most: the budget's ceiling.
    """

    def __init__(self, share: float = 0.1, start: float = 3.0, most: float = 10.0) -> None:
        self.share, self.most = share, most
        self.left = start

    def call(self) -> None:
        """A first try was made."""
        self.left = min(self.most, self.left + self.share)

    def take(self) -> bool:
        """True, and one retry less, when there is one to be had."""
        if self.left < 1:
            return False
        self.left -= 1
        return True


class Breaker:
    """Stops calling a service that fails: after `failures` in a row it is open, and calls fail without being made.

    open_s: then one call is let through to see whether the service is well again. clock: seconds, monotonic.
    """

    def __init__(self, failures: int = 5, open_s: float = 0.5, clock: Callable[[], float] = time.monotonic) -> None:
        self.failures, self.open_s, self.clock = failures, open_s, clock
        self._in_a_row = 0
        self._try_at: float | None = None  # None: closed, all calls go through

    def allows(self) -> bool:
        """Whether a call may be made now. Who gets True must say how it went."""
        if self._try_at is None:
            return True
        if self.clock() < self._try_at:
            return False
        self._try_at = self.clock() + self.open_s  # this one is the probe; the next may come when it has had its time
        return True

    def succeeded(self) -> None:
        self._in_a_row = 0
        self._try_at = None

    def failed(self) -> None:
        self._in_a_row += 1
        if self._in_a_row >= self.failures:
            self._try_at = self.clock() + self.open_s
