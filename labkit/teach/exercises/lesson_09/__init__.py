"""Lesson 09, idempotency. `predict` counts, `take` writes an idempotent handler, `race` repairs one.

lesson_09.take.check(take)
"""

from labkit.teach.exercises.lesson_09.predicting import predict
from labkit.teach.exercises.lesson_09.racing import race
from labkit.teach.exercises.lesson_09.taking import take

ALL = (predict, take, race)

__all__ = ["ALL", "predict", "race", "take"]
