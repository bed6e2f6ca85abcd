"""Lesson 03, log and queue. `predict` says who reads what, `bind` routes, `settle` and `commit` end a handler.

lesson_03.settle.check(settle)                                   # on a RabbitMQ made of dictionaries
lesson_03.settle_on_rabbitmq(settle, lab.rabbitmq_parameters())  # the same on the real one
lesson_03.commit_on_kafka(commit, lab.kafka_config())            # its sister on a real partition
"""

from labkit.teach.exercises.lesson_03.binding import bind
from labkit.teach.exercises.lesson_03.brokers import bind_on_rabbitmq, commit_on_kafka, settle_on_rabbitmq
from labkit.teach.exercises.lesson_03.committing import commit
from labkit.teach.exercises.lesson_03.predicting import predict
from labkit.teach.exercises.lesson_03.settling import settle

ALL = (predict, bind, settle, commit)

__all__ = ["ALL", "bind", "bind_on_rabbitmq", "commit", "commit_on_kafka", "predict", "settle", "settle_on_rabbitmq"]
