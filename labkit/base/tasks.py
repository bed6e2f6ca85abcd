"""Threads that belong together: whoever waits for them hears of an error in any of them, and none outlives the `with`.

with TaskGroup() as tasks:
    tasks.start(read, "orders")
    tasks.wait(lambda: seen == 100, 30, "100 orders are read")
"""

import contextvars
import threading
from collections.abc import Callable
from time import monotonic
from types import TracebackType
from typing import Any, Self, TypeVar

from labkit.base import wait
from labkit.base.errors import NotInTimeError

T = TypeVar("T")
_END_S = 60.0  # for a task to end once it is told: a client may have to wait for a broker that does not answer


class TaskGroup:
    """Threads that are started, watched and ended together. Like `asyncio.TaskGroup`, but its end also tells them to.

    done: set when the tasks are to end: at the end of the `with`, when one of them has failed, or by anyone who knows
    that all is done. A task looks at it: `while not tasks.done.is_set()`, `tasks.done.wait(0.1)`.
    The first error of a task is the one that is raised, by `wait`, `join`, `check` and at the end of the `with`. When
    the body of the `with` fails by itself, its own error is raised, with a note of the task's.
    """

    def __init__(self) -> None:
        self.done = threading.Event()
        self._threads: list[threading.Thread] = []
        self._errors: list[BaseException] = []

    def start(self, target: Callable[..., object], *arguments: Any, name: str = "") -> None:
        """Run `target(*arguments)` in a thread of its own, from now on. name: for the error when it does not end."""
        name = name or getattr(target, "__qualname__", repr(target))
        mine = contextvars.copy_context()  # so that a task's checkpoints are heard, and end it
        thread = threading.Thread(target=mine.run, args=(self._run, target, arguments), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _run(self, target: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        try:
            target(*arguments)
        except BaseException as error:
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        """Note an error from elsewhere, such as a callback, as if a task had raised it. All tasks are told to end."""
        self._errors.append(error)  # before `done`: whoever sees that it is done sees why
        self.done.set()

    @property
    def error(self) -> BaseException | None:
        """The first error of a task."""
        return self._errors[0] if self._errors else None

    def check(self) -> None:
        """Raise the first error of a task, if there is one."""
        if self._errors:
            raise self._errors[0]

    def wait(self, fact: Callable[[], T], within_s: float, what: str, every_s: float = 0.02) -> T:
        """`labkit.base.wait.until`, which ends at once with the error of a task.

        Raises the first error of a task, or NotInTimeError.
        """

        def answer() -> T:
            self.check()
            found = fact()
            self.check()  # a task that fails sets `done`, which may be the fact
            return found

        return wait.until(answer, within_s, what, every_s)

    def join(self, within_s: float, what: str = "every task has ended") -> None:
        """Wait until all tasks have ended by themselves. Raises the first error of a task, or NotInTimeError."""
        self.wait(lambda: not self._running(), within_s, what, every_s=0.005)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        self.done.set()
        end_s = monotonic() + _END_S
        for thread in self._threads:  # it may grow meanwhile
            thread.join(max(0.0, end_s - monotonic()))
        if error is not None:
            if self.error is not None and self.error is not error:
                error.add_note(f"A task had failed before: {self.error!r}")
            return
        self.check()
        if left := self._running():
            raise NotInTimeError(
                f"{', '.join(left)} did not end within {_END_S:g} s.",
                "a task must look at `tasks.done`, and end when it is set",
            )

    def _running(self) -> list[str]:
        return [thread.name for thread in self._threads if thread.is_alive()]
