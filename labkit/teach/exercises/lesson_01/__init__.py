"""Lesson 01, coupling. `chain` predicts, `retries` repairs, `react` writes a consumer. Each is a file of its own.

lesson_01.react.check(react)                          # on a list that stands in for a broker
lesson_01.on_kafka(react, lab.kafka_config())         # the same on the real ones
lesson_01.on_rabbitmq(react, lab.rabbitmq_parameters())
"""

from labkit.teach.exercises.lesson_01.brokers import on_kafka, on_rabbitmq
from labkit.teach.exercises.lesson_01.chains import chain
from labkit.teach.exercises.lesson_01.reacting import react
from labkit.teach.exercises.lesson_01.retrying import retries

ALL = (chain, retries, react)

__all__ = ["ALL", "chain", "on_kafka", "on_rabbitmq", "react", "retries"]
