"""Lesson 03: the same eight orders in a log, in a queue and in a stream, and who reads what.

`run` is what the panel turns. orders: the eight. sides: the three places. readers: who takes from them. processes: a
publisher and a reader of their own. reading: what the lesson's cells leave out.
"""

from labkit.experiments.log_queue.run import COPY, DIES, FAILING, FAILS, KINDS, SHARE, SLOW, TROUBLES, run

__all__ = ["COPY", "DIES", "FAILING", "FAILS", "KINDS", "SHARE", "SLOW", "TROUBLES", "run"]
