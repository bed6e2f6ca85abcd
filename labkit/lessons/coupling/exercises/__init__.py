"""Lesson 01, coupling. `chain` predicts, `retries` repairs, `react` writes a consumer. Each is a file of its own.

exercises.react.check(react)                          # on a list that stands in for a broker
exercises.on_kafka(react, lab.kafka_config())         # the same on the real ones
exercises.on_rabbitmq(react, lab.rabbitmq_parameters())
"""

from labkit.lessons.coupling.exercises.brokers import on_kafka, on_rabbitmq
from labkit.lessons.coupling.exercises.chains import chain
from labkit.lessons.coupling.exercises.reacting import react
from labkit.lessons.coupling.exercises.retrying import retries

ALL = (chain, retries, react)

__all__ = ["ALL", "chain", "on_kafka", "on_rabbitmq", "react", "retries"]
