"""Lesson 08: what keeps order, and what breaks it? The lives of some hundred orders, on a real broker.

from labkit.experiments import ordering
ordering.run(broker="kafka", key="none").sentence
"""

from labkit.experiments.ordering.run import run

__all__ = ["run"]
