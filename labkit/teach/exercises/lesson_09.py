"""Lesson 09, idempotency. `predict` counts, `take` writes an idempotent handler, `race` repairs one.

lesson_09.take.check(take)
"""

from labkit.teach.exercises.lesson_09_predict import predict
from labkit.teach.exercises.lesson_09_race import race
from labkit.teach.exercises.lesson_09_take import take

ALL = (predict, take, race)

__all__ = ["ALL", "predict", "race", "take"]
