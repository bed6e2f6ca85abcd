"""Lesson 02, publish and subscribe. `late` predicts, `subscribe` repairs, `fact` tells events from commands.

lesson_02.subscribe.check(subscribe)                          # on a RabbitMQ made of dictionaries
lesson_02.on_rabbitmq(subscribe, lab.rabbitmq_parameters())   # the same on the real one
lesson_02.on_kafka(subscribe, lab.kafka_config())             # and the names it returns as group ids on Kafka

The cells of the notebook (the stubs are what `lesson_02.late.show()` and its sisters show):

1. Predict. Events 1 to n are published. A subscriber subscribes after event `came`, is away after event `left` and is
   back after event `back` (`left == back`: it was never away). Once it is back it reads whatever there is for it.
   0 <= came <= left <= back <= n, and who goes away has read and committed something before: came < left.
   `kind` is "durable queue" or "exclusive queue" (RabbitMQ: made and bound when it subscribes, the exclusive one anew
   when it is back), "earliest group" or "latest group" (Kafka, `auto.offset.reset`; the group commits what it reads).

    def gets(kind, came, left, back, n):
        return ...

    lesson_02.late.check(gets)

2. Repair. Four processes call this when they start: two workers of inventory, one of notification, one of analytics
   (`service` is the name, `worker` is 0 or 1). `channel` is pika's. Each service needs every order; the two workers of
   inventory share theirs; and what is published while a service is away must wait for it. Return the queue's name.
   `exchange` is there already, a topic exchange; the key "#" means everything.

    def subscribe(channel, exchange, service, worker):
        queue = "orders"
        channel.queue_declare(queue)
        channel.queue_bind(queue, exchange, "#")
        return queue

    lesson_02.subscribe.check(subscribe)
    lesson_02.on_rabbitmq(subscribe, lab.rabbitmq_parameters())
    lesson_02.on_kafka(subscribe, lab.kafka_config())

3. Tell apart. For each message two words: "event" or "command", and whether "all" who listen get it or "one".

    def event_or_command():
        return {
            "ReserveStock": (..., ...),
            "PaymentRefused": (..., ...),  # the bank said no
            "SendInvoice": (..., ...),
            "StockReserved": (..., ...),  # only checkout listens, today
            "CancelOrder": (..., ...),  # the customer has pressed "cancel"
            "OrderCancelled": (..., ...),
            "StockLow": (..., ...),  # nobody listens, today
            "OrderPlaced": (..., ...),  # two copies of notification listen
        }

    lesson_02.fact.check(event_or_command)
"""

from labkit.teach.exercises.lesson_02_brokers import on_kafka, on_rabbitmq
from labkit.teach.exercises.lesson_02_fact import fact
from labkit.teach.exercises.lesson_02_late import late
from labkit.teach.exercises.lesson_02_subscribe import subscribe

ALL = (late, subscribe, fact)

__all__ = ["ALL", "fact", "late", "on_kafka", "on_rabbitmq", "subscribe"]
