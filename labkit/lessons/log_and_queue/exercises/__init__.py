"""Lesson 03, log and queue. `predict` says who reads what, `bind` routes, `settle` and `commit` end a handler.

exercises.settle.check(settle)                                   # on a RabbitMQ made of dictionaries
exercises.settle_on_rabbitmq(settle, lab.rabbitmq_parameters())  # the same on the real one
exercises.commit_on_kafka(commit, lab.kafka_config())            # its sister on a real partition
"""

from labkit.lessons.log_and_queue.exercises.binding import bind
from labkit.lessons.log_and_queue.exercises.brokers import bind_on_rabbitmq, commit_on_kafka, settle_on_rabbitmq
from labkit.lessons.log_and_queue.exercises.committing import commit
from labkit.lessons.log_and_queue.exercises.predicting import predict
from labkit.lessons.log_and_queue.exercises.settling import settle

ALL = (predict, bind, settle, commit)

__all__ = ["ALL", "bind", "bind_on_rabbitmq", "commit", "commit_on_kafka", "predict", "settle", "settle_on_rabbitmq"]
