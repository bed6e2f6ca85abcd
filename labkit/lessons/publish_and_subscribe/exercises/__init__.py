"""Lesson 02, publish and subscribe. `late` predicts, `subscribe` repairs, `fact` tells events from commands.

exercises.subscribe.check(subscribe)                          # on a RabbitMQ made of dictionaries
exercises.on_rabbitmq(subscribe, lab.rabbitmq_parameters())   # the same on the real one
exercises.on_kafka(subscribe, lab.kafka_config())             # and the names it returns as group ids on Kafka
"""

from labkit.lessons.publish_and_subscribe.exercises.brokers import on_kafka, on_rabbitmq
from labkit.lessons.publish_and_subscribe.exercises.facts import fact
from labkit.lessons.publish_and_subscribe.exercises.latecomers import late
from labkit.lessons.publish_and_subscribe.exercises.subscribing import subscribe

ALL = (late, subscribe, fact)

__all__ = ["ALL", "fact", "late", "on_kafka", "on_rabbitmq", "subscribe"]
