"""Exercises: what to write, how it is checked, three hints, a solution, known wrong answers. All of it in one file.

from labkit.teach.exercises import lesson_01
lesson_01.chain.check(availability)
"""
