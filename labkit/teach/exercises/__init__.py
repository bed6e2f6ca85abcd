"""Exercises: what to write, how it is checked, three hints, a solution, known wrong answers. All of it in one file.

from labkit.lessons.coupling import exercises
exercises.chain.check(availability)
"""
