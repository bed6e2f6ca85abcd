"""Lesson 02: one publisher, and subscribers that come, are slow, raise and are late.

Reading order: `table` (what the subscribers' stores say), `experiment` (what the panel turns), `latecomers` (who starts
when the publisher has gone), `commands` (a command, broadcast); then `plots` and `exercises`.
"""

from typing import TYPE_CHECKING

from labkit.base import lazy

if TYPE_CHECKING:
    from labkit.lessons.publish_and_subscribe.experiment import NOBODY, Flow, run

__all__ = ["NOBODY", "Flow", "run"]

__getattr__, __dir__ = lazy.attach(__name__, "experiment:NOBODY", "experiment:Flow", "experiment:run")
