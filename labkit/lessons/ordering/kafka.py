"""Lesson 08 on Kafka: one topic with some partitions, one group with some consumers."""

import threading
from collections.abc import Mapping
from typing import Any

from labkit.base import names
from labkit.base.wait import until
from labkit.brokers import kafka
from labkit.events.event import Event
from labkit.harness.threads import Threads
from labkit.lessons.ordering.load import Planned
from labkit.lessons.ordering.publish import publish
from labkit.lessons.ordering.work import SERVICE, Delivery, Run, Workers

RETRY_S = 0.03  # how long an event stays in the retry topic
_JOIN_S = 20
_POLL_S = 0.05


class OnKafka:
    """One run. Makes its topics, and deletes them in `close`."""

    def __init__(self, config: Mapping[str, Any], run: Run) -> None:
        self._config, self._run = config, run
        self.topic = names.fresh("life")
        self._retry_topic = f"{self.topic}.retry"
        self._goes_round = run.setting.requeue > 0 and run.setting.retry in ("delayed", "parked")
        self._threads = Threads(run.fail)
        self._held: dict[int, int] = {}  # consumer -> partitions that it holds
        self._again: kafka.Producer | None = None
        self._producers: list[kafka.Producer] = []
        self._lock = threading.Lock()

    def open(self) -> None:
        """Make the topics, start the consumers, and wait until they hold all partitions."""
        setting, warm = self._run.setting, f"{self.topic}.warm"
        kafka.create_topics(
            self._config,
            {self.topic: setting.partitions, warm: 1} | ({self._retry_topic: 1} if self._goes_round else {}),
        )
        # The second producer sends at once: two services need not have the same settings.
        for number, linger in enumerate([setting.linger_ms, 0.0][: setting.producers], 1):
            producer = kafka.Producer(self._config, self._run.trace, f"producer#{number}", linger_ms=linger)
            producer.client.produce(warm, b"")  # it asks for its id, and that takes half a second: not during the run
            self._producers.append(producer)
        if self._goes_round:
            self._again = kafka.Producer(self._config, self._run.trace, "retry", linger_ms=0)
            self._threads.start(self._read_retries)
        for number in range(1, setting.consumers + 1):
            self._threads.start(self._read, number)
        working = min(setting.consumers, setting.partitions)
        until(
            lambda: (
                self._run.done.is_set()
                or (sum(self._held.values()) == setting.partitions and sum(map(bool, self._held.values())) == working)
            ),
            _JOIN_S,
            "every partition has its consumer",
        )
        for producer in self._producers:
            producer.flush()

    def publish(self, plan: list[Planned]) -> None:
        """Send all events, and wait until Kafka has confirmed them. Raises BrokerError."""
        setting, producers = self._run.setting, self._producers

        def sender(producer: kafka.Producer) -> Any:
            def send(planned: Planned, told: Any) -> None:
                key = planned.key(setting.key) or kafka.NO_KEY
                producer.publish(planned.event, self.topic, key, on_confirmed=told)

            return send

        def poll() -> None:
            for producer in producers:
                producer.poll()

        publish(plan, [sender(producer) for producer in producers], poll, self._run.done, setting.wait_for_ack)
        for producer in producers:
            producer.flush()

    def _read(self, number: int) -> None:
        who = f"{SERVICE}#{number}"
        consumer = kafka.Consumer(
            self._config, f"{self.topic}.{SERVICE}", [self.topic], self._run.trace, who, fetch_wait_max_ms=20
        )
        workers = Workers(self._run, who)
        try:
            while not self._run.done.is_set():
                received = consumer.poll(_POLL_S)
                if received is None:
                    self._held[number] = len(consumer.client.assignment())
                    continue
                workers.give(self._delivery(received))
        finally:
            workers.close()
            consumer.close()

    def _delivery(self, received: kafka.Received) -> Delivery:
        # Nothing to acknowledge one by one: a commit says how far a whole partition is read, and nobody crashes here.
        event, channel = received.event, f"{received.topic}/{received.partition}"
        return Delivery(event, channel, received.offset, lambda: None, lambda: self._send_round(event))

    def _send_round(self, event: Event) -> None:
        assert self._again is not None  # only called where events go round
        with self._lock:
            self._again.publish(event, self._retry_topic)

    def _read_retries(self) -> None:
        """A consumer of its own for the retry topic. It lets every event ripen, and handles it again."""
        who = f"{SERVICE}#retry"
        consumer = kafka.Consumer(
            self._config, f"{self.topic}.retry", [self._retry_topic], self._run.trace, who, fetch_wait_max_ms=20
        )
        try:
            while not self._run.done.is_set():
                received = consumer.poll(_POLL_S)
                if received is not None:
                    if self._run.has_failed(received.event.id):  # what only waits behind it is ripe
                        self._run.done.wait(RETRY_S)
                    self._run.handle(self._delivery(received), who)
        finally:
            consumer.close()

    def close(self) -> None:
        """End the consumers and delete the topics."""
        self._run.done.set()
        self._threads.join()
        for producer in self._producers:
            producer.client.purge()  # after a run that failed; else nothing is left
        if self._again is not None:
            self._again.client.purge()
        kafka.delete_topics(self._config, [self.topic, self._retry_topic, f"{self.topic}.warm"])
