"""How a run says how far it is, and hears that it shall stop, without handing two arguments through every call.

Whoever starts a run listens:    with reporting(progress, cancelled): run()
The run, anywhere inside it:     checkpoint(0.5, "half of the orders are read …")

Nobody has to listen: then `checkpoint` does nothing, in some 50 ns. `wait.until` calls it too, so every wait for a
fact can be cancelled. A thread listens when it runs in a copy of its starter's context (`contextvars.copy_context`).
"""

from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

Progress = Callable[[float | None, str], object]  # takes the part that is done (0 to 1, None: not known) and words


class Flag(Protocol):
    """What can say that a run is cancelled: a `threading.Event`, for example."""

    def is_set(self) -> bool: ...


@dataclass(frozen=True, eq=False)
class _Listener:
    progress: Progress | None
    cancelled: Flag | None
    outer: "_Listener | None"


_listener: ContextVar[_Listener | None] = ContextVar("listener", default=None)
_heard: ContextVar[tuple[_Listener, ...]] = ContextVar("heard", default=())


def checkpoint(done: float | None = None, words: str = "") -> None:
    """Say how far the run is (0 to 1), and stop here when it is cancelled.

    Raises CancelledError once in each thread: a `finally` may wait for facts, as it does after any other error.
    """
    listener = _listener.get()
    if listener is None:
        return
    _stop_if_cancelled(listener)
    if listener.progress is not None and (words or done is not None):
        listener.progress(done, words)


def _stop_if_cancelled(innermost: _Listener) -> None:
    listener: _Listener | None = innermost
    while listener is not None:
        if listener.cancelled is not None and listener.cancelled.is_set() and listener not in _heard.get():
            _heard.set((*_heard.get(), listener))
            raise CancelledError("the run was cancelled")
        listener = listener.outer


@contextmanager
def reporting(progress: Progress | None = None, cancelled: Flag | None = None) -> Iterator[None]:
    """Listen to every `checkpoint` of what runs inside.

    progress: called with the part that is done (0 to 1, None: not known) and a few words, from the run's threads.
    cancelled: once it is set, the run's next checkpoint raises CancelledError. One inside another: the outer one can
    cancel too, and hears of no progress while the inner one listens.
    """
    listener = _Listener(progress, cancelled, _listener.get())
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
        _heard.set(tuple(one for one in _heard.get() if one is not listener))


@contextmanager
def part(number: int, of: int, words: str = "") -> Iterator[None]:
    """What runs inside is one of several equal parts: its 0 to 1 is a stretch of the whole.

    number: counted from 0. words: what this part is; they stand before what is said inside.
    Raises CancelledError, as `checkpoint` does.
    """
    outer = _listener.get()
    checkpoint(number / of, f"{words} …" if words else "")
    if outer is None or outer.progress is None:
        yield
        return
    tell = outer.progress

    def progress(done: float | None, said: str) -> None:
        tell(None if done is None else (number + done) / of, ": ".join(one for one in (words, said) if one))

    with reporting(progress):
        yield


@contextmanager
def shielded() -> Iterator[None]:
    """For what must come to its end: nobody listens to what runs inside, and it cannot be cancelled."""
    token = _listener.set(None)
    try:
        yield
    finally:
        _listener.reset(token)
