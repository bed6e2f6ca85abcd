"""Lesson 08 on RabbitMQ: one queue with some consumers; or, with a key, some queues behind a consistent hash."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from labkit.base import names
from labkit.brokers import rabbitmq
from labkit.lab import Brokers
from labkit.lessons.ordering.publish import PublishAll, publisher
from labkit.lessons.ordering.setting import Setting
from labkit.lessons.ordering.work import SERVICE, Delivery, Run, Workers

RETRY_MS = 30  # how long an event stays in the retry queue


@contextmanager
def backend(brokers: Brokers, run: Run) -> Iterator[PublishAll]:
    """Exchange, queues, publishers and consumers of one run, for the length of a `with`. Yields what publishes."""
    setting, tasks, parameters = run.setting, run.tasks, brokers.rabbitmq_parameters()
    exchange = names.fresh("life")
    queues = [f"{exchange}.{number}" for number in range(1 if setting.key == "none" else setting.partitions)]
    provide = partial(rabbitmq.temporary_queues, parameters, dead_letters=False)
    with ExitStack() as stack:
        keys = {queue: ["1"] for queue in queues}  # the weight: every queue gets an equal part of the keys
        stack.enter_context(provide(keys, exchange, "x-consistent-hash", **_arguments(setting, exchange)))
        if setting.takes_detours:  # what has waited here goes back with its own key, so into its own queue
            stack.enter_context(
                provide(
                    [f"{exchange}.retry"], f"{exchange}.later", "fanout",
                    x_queue_type="classic", x_message_ttl=RETRY_MS, x_dead_letter_exchange=exchange,
                )
            )  # fmt: skip
        publishers = [
            stack.enter_context(rabbitmq.Publisher(parameters, run.trace, f"producer#{number}"))
            for number in range(1, setting.producers + 1)
        ]
        stack.enter_context(tasks)

        def deliver(received: rabbitmq.Received, consumer: rabbitmq.Consumer) -> Delivery:
            def answer(does: Callable[..., None], *arguments: Any, **options: Any) -> Callable[[], None]:
                """The same from any thread: pika's channel belongs to the one that reads."""
                call = partial(does, *arguments, **options)
                return call if setting.workers == 1 else partial(consumer.connection.add_callback_threadsafe, call)

            later = answer(consumer.client.basic_nack, received.tag, requeue=setting.retry == "requeue")
            return Delivery(received.event, received.queue, -1, answer(consumer.ack, received), later)

        def listen(who: str, mine: Sequence[str]) -> rabbitmq.Listener:
            workers = Workers(run, who)
            return rabbitmq.Listener(
                tasks, parameters, mine, lambda received, consumer: workers.give(deliver(received, consumer)),
                run.trace, who, setting.prefetch, workers.close,
            )  # fmt: skip

        # A queue is shared out like a partition: with a key it has one consumer, and a consumer too many has none.
        shares = [queues if len(queues) == 1 else queues[i :: setting.consumers] for i in range(setting.consumers)]
        listeners = [listen(f"{SERVICE}#{number}", mine) for number, mine in enumerate(shares, 1) if mine]
        rabbitmq.wait_until_ready(tasks, *listeners)
        yield publisher(run, publishers, exchange, "no-key")


def _arguments(setting: Setting, exchange: str) -> dict[str, Any]:
    """What kind of queue, as RabbitMQ calls it."""
    kind, _, unlimited = setting.queue.partition(", ")
    found: dict[str, Any] = {"x_queue_type": kind}
    if unlimited:
        found["x_delivery_limit"] = -1
    if setting.single_active:
        found["x_single_active_consumer"] = True
    if setting.takes_detours:
        found["x_dead_letter_exchange"] = f"{exchange}.later"
    return found
