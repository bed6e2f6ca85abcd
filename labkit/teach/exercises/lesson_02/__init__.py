"""Lesson 02, publish and subscribe. `late` predicts, `subscribe` repairs, `fact` tells events from commands.

lesson_02.subscribe.check(subscribe)                          # on a RabbitMQ made of dictionaries
lesson_02.on_rabbitmq(subscribe, lab.rabbitmq_parameters())   # the same on the real one
lesson_02.on_kafka(subscribe, lab.kafka_config())             # and the names it returns as group ids on Kafka
"""

from labkit.teach.exercises.lesson_02.brokers import on_kafka, on_rabbitmq
from labkit.teach.exercises.lesson_02.facts import fact
from labkit.teach.exercises.lesson_02.latecomers import late
from labkit.teach.exercises.lesson_02.subscribing import subscribe

ALL = (late, subscribe, fact)

__all__ = ["ALL", "fact", "late", "on_kafka", "on_rabbitmq", "subscribe"]
