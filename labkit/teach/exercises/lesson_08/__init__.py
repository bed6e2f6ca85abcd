"""Lesson 08, ordering. `never` predicts, `reorder` writes a buffer, `version` repairs a write. Each is a file.

lesson_08.reorder.check(in_turn)              # in milliseconds
lesson_08.in_turn_on(in_turn, broken)         # on the events of a real run: broken = ordering.run(key="none")
lesson_08.save_on(save, broken)
"""

from labkit.teach.exercises.lesson_08.never_or_sometimes import never
from labkit.teach.exercises.lesson_08.reordering import on_a_run as in_turn_on
from labkit.teach.exercises.lesson_08.reordering import reorder
from labkit.teach.exercises.lesson_08.versions import on_a_run as save_on
from labkit.teach.exercises.lesson_08.versions import version

ALL = (never, reorder, version)

__all__ = ["ALL", "in_turn_on", "never", "reorder", "save_on", "version"]
