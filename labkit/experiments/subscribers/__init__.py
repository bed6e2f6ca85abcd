"""Lesson 02: one publisher, and subscribers that come, are slow, raise and are late.

`run` is what the panel turns. latecomers: who starts when the publisher has gone. commands: a command, broadcast.
table: what the subscribers' stores say.
"""

from labkit.experiments.subscribers.run import BROKERS, WHO, Flow, run

__all__ = ["BROKERS", "WHO", "Flow", "run"]
