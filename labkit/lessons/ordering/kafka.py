"""Lesson 08 on Kafka: one topic with some partitions, one group with some consumers."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from labkit.base import names
from labkit.brokers import kafka
from labkit.lab import Brokers
from labkit.lessons.ordering.publish import PublishAll, publisher
from labkit.lessons.ordering.work import SERVICE, Delivery, Run, Workers

RETRY_S = 0.03  # how long an event stays in the retry topic
FETCH_WAIT_MS = 20  # a consumer need not collect: few events, and each is to come at once


@contextmanager
def backend(brokers: Brokers, run: Run) -> Iterator[PublishAll]:
    """Topics, producers and consumers of one run, for the length of a `with`. Yields what publishes its events."""
    setting, tasks, config = run.setting, run.tasks, brokers.kafka_config()
    topic = names.fresh("life")
    retry_topic = [f"{topic}.retry"] if setting.takes_detours else []
    with ExitStack() as stack:
        stack.enter_context(
            kafka.temporary_topics(config, {topic: setting.partitions, **dict.fromkeys(retry_topic, 1)})
        )
        # The second producer sends at once: two services need not have the same settings.
        producers = [
            stack.enter_context(kafka.Producer(config, run.trace, f"producer#{number}", linger_ms=linger))
            for number, linger in enumerate([setting.linger_ms, 0.0][: setting.producers], 1)
        ]
        again = stack.enter_context(kafka.Producer(config, run.trace, "retry", linger_ms=0)) if retry_topic else None
        stack.enter_context(tasks)
        lock = threading.Lock()

        def deliver(received: kafka.Received) -> Delivery:
            def later() -> None:
                assert again is not None  # only called where events take the detour
                with lock:
                    again.publish(received.event, retry_topic[0])

            # Nothing to acknowledge one by one: a commit says how far a whole partition is read, and nobody crashes.
            channel = f"{received.topic}/{received.partition}"
            return Delivery(received.event, channel, received.offset, lambda: None, later)

        def retry(received: kafka.Received, _: kafka.Consumer) -> None:
            if run.has_failed(received.event.id):  # what only waits behind it is ripe
                tasks.done.wait(RETRY_S)
            run.handle(deliver(received), f"{SERVICE}#retry")

        listener = partial(kafka.Listener, tasks, config, trace=run.trace, fetch_wait_max_ms=FETCH_WAIT_MS)

        def listen(who: str) -> kafka.Listener:
            workers = Workers(run, who)

            def handle(received: kafka.Received, _: kafka.Consumer) -> None:
                workers.give(deliver(received))

            return listener(f"{topic}.{SERVICE}", topic, handle, who=who, at_end=workers.close)

        listeners = [listen(f"{SERVICE}#{number}") for number in range(1, setting.consumers + 1)]
        listeners += [listener(f"{topic}.retry", name, retry, who=f"{SERVICE}#retry") for name in retry_topic]
        kafka.warm_up(config, *producers)
        kafka.wait_until_assigned(tasks, *listeners)
        yield publisher(run, producers, topic, kafka.NO_KEY, [one.poll for one in producers])
