"""Lesson 03: the same eight orders in a log, in a queue and in a stream, and who reads what.

Reading order: `orders` (the eight), `backends` (what a log and a queue have in common), `kafka` and `rabbitmq` (what
they have not), `experiment` (what the panel sets), `processes` (a publisher and a reader of their own), `reading` (what
the lesson's cells leave out); `throughput_clients` and `throughput`, `costs_brokers` and `costs`, `choose`; then
`plots` and `exercises`.

Over budget: it is two lessons; its second half is to become one of its own.
"""

from typing import TYPE_CHECKING

from labkit.base import lazy

if TYPE_CHECKING:
    from labkit.lessons.log_and_queue.experiment import COPY, DIES, FAILING, FAILS, KINDS, SHARE, SLOW, TROUBLES, run

__all__ = ["COPY", "DIES", "FAILING", "FAILS", "KINDS", "SHARE", "SLOW", "TROUBLES", "run"]

__getattr__, __dir__ = lazy.attach(__name__, *(f"experiment:{name}" for name in __all__))
