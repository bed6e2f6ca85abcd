"""Lesson 03, log and queue. `predict` says who reads what, `bind` routes, `settle` and `commit` end a handler.

lesson_03.settle.check(settle)                                   # on a RabbitMQ made of dictionaries
lesson_03.settle_on_rabbitmq(settle, lab.rabbitmq_parameters())  # the same on the real one
lesson_03.commit_on_kafka(commit, lab.kafka_config())            # its sister on a real partition

The cells of the notebook (the stubs are what `lesson_03.predict.show()` and its sisters show):

1. Predict. Eight orders, two readers. For each line two numbers: how many A reads, how many B reads. A starts first and
   reads all that it is given; "then" means that A has stopped before B starts. Where only one of two can get something,
   it is A. All groups begin with the earliest. next: only what is published from now on.

    def who_reads():
        return {
            "queue, A and B take turns": (..., ...),
            "queue, A acks all, then B": (..., ...),
            "queue, A acks none and dies, then B": (..., ...),
            "two queues on a fanout": (..., ...),
            "two groups": (..., ...),
            "one group, 2 partitions": (..., ...),  # four orders in each
            "one group, 1 partition": (..., ...),
            "one group, A commits all, then B": (..., ...),
            "one group, A commits none and dies, then B": (..., ...),
            "stream, A from first, then B from first": (..., ...),
            "stream, A from first, then B from next": (..., ...),
        }

    lesson_03.predict.check(who_reads)

2. Repair the bindings. `channel` is pika's. The keys are `order.<what>.<country>`, and sometimes a word more:
   `order.placed.fr.express`. germany must get everything about German orders, cancelled ones too; cancelled every order
   that was cancelled; audit everything about orders. And lost must get what no other queue takes, like `stock.low.de`,
   or `oder.placed.de`, which somebody has mistyped. At the moment everybody gets everything. The four queues may stay.
   The exchange may be declared otherwise, and if a second one is needed, it is called `nobody`.

    def bind(channel, exchange):
        channel.exchange_declare(exchange, "topic")
        for queue in ("germany", "cancelled", "audit", "lost"):
            channel.queue_declare(queue)
            channel.queue_bind(queue, exchange, "#")

    lesson_03.bind.check(bind)
    lesson_03.bind_on_rabbitmq(bind, lab.rabbitmq_parameters())

3. Repair the handler. It is called for each message of a queue: pika's `channel` and `method`, and the `body`.
   `reserve(body)` raises a ConnectionError while the store is away, and a ValueError when the body is no order. What
   may succeed later goes back to the queue, which has a limit of three returns; what never will goes to the dead
   letters, where the queue sends what is rejected.

    def settle(channel, method, body, reserve):
        channel.basic_ack(method.delivery_tag)
        reserve(body)

    lesson_03.settle.check(settle)
    lesson_03.settle_on_rabbitmq(settle, lab.rabbitmq_parameters())

   And its sister on Kafka: `consumer` and `message` are confluent_kafka's; `asynchronous=False` waits for Kafka's yes.
   Kafka has no dead letters, so `dead_letter(raw, why)` is handed in. If an error gets out of the function, the process
   dies, and a new one begins where the group has committed.

    def commit(consumer, message, reserve, dead_letter):
        consumer.commit(message)
        reserve(message.value())

    lesson_03.commit.check(commit)
    lesson_03.commit_on_kafka(commit, lab.kafka_config())
"""

from labkit.teach.exercises.lesson_03_bind import bind
from labkit.teach.exercises.lesson_03_brokers import bind_on_rabbitmq, commit_on_kafka, settle_on_rabbitmq
from labkit.teach.exercises.lesson_03_commit import commit
from labkit.teach.exercises.lesson_03_predict import predict
from labkit.teach.exercises.lesson_03_settle import settle

ALL = (predict, bind, settle, commit)

__all__ = ["ALL", "bind", "bind_on_rabbitmq", "commit", "commit_on_kafka", "predict", "settle", "settle_on_rabbitmq"]
