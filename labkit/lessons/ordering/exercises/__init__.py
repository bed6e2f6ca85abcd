"""Lesson 08, ordering. `never` predicts, `reorder` writes a buffer, `version` repairs a write. Each is a file.

exercises.reorder.check(in_turn)              # in milliseconds
exercises.in_turn_on(in_turn, unordered)         # on the events of a real run: unordered = ordering.run(key="none")
exercises.save_on(save, unordered)
"""

from labkit.lessons.ordering.exercises.never_or_sometimes import never
from labkit.lessons.ordering.exercises.reordering import on_a_run as in_turn_on
from labkit.lessons.ordering.exercises.reordering import reorder
from labkit.lessons.ordering.exercises.versions import on_a_run as save_on
from labkit.lessons.ordering.exercises.versions import version

ALL = (never, reorder, version)

__all__ = ["ALL", "in_turn_on", "never", "reorder", "save_on", "version"]
