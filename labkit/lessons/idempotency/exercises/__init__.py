"""Lesson 09, idempotency. `predict` counts, `take` writes an idempotent handler, `race` repairs one.

exercises.take.check(take)
"""

from labkit.lessons.idempotency.exercises.predicting import predict
from labkit.lessons.idempotency.exercises.racing import race
from labkit.lessons.idempotency.exercises.taking import take

ALL = (predict, take, race)

__all__ = ["ALL", "predict", "race", "take"]
