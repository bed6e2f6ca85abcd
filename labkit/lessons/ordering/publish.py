"""Lesson 08: the events leave when they are due, from one producer or from two."""

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from labkit.events.event import Event
from labkit.lessons.ordering.load import Planned
from labkit.lessons.ordering.work import Run

Send = Callable[[Planned, Callable[[str], None]], None]
PublishAll = Callable[[Sequence[Planned]], None]


class Producer(Protocol):
    """What a run needs of a broker's client. The key of `publish` is RabbitMQ's routing key."""

    def publish(self, event: Event, to: str, key: str, on_confirmed: Callable[[str], None], /) -> None: ...

    def flush(self) -> None: ...


def publisher(
    run: Run, producers: Sequence[Producer], to: str, no_key: str, polls: Sequence[Callable[[], object]] = ()
) -> PublishAll:
    """What publishes events to the topic or exchange `to`, and waits until the broker has confirmed all of them.

    polls: what lets confirmations come in, for a client that does not do so by itself.
    """
    setting, done = run.setting, run.tasks.done

    def send(producer: Producer, planned: Planned, on_confirmed: Callable[[str], None]) -> None:
        producer.publish(planned.event, to, planned.key(setting.key) or no_key, on_confirmed)

    def poll_all() -> None:
        run.report()
        for poll in polls:
            poll()

    def publish_all(plan: Sequence[Planned]) -> None:
        publish(plan, [partial(send, one) for one in producers], poll_all, done, setting.wait_for_ack)
        for producer in producers if not run.tasks.error else ():
            producer.flush()

    return publish_all


def publish(
    plan: Sequence[Planned], sends: Sequence[Send], poll: Callable[[], object], done: threading.Event,
    wait_for_ack: bool = False,
) -> None:  # fmt: skip
    """Send every event when it is due, until `done` is set.

    sends: one a producer; with two, payments come from their own. poll: called again and again, so that confirmations
    come in and a run can be cancelled. wait_for_ack: an event waits until the one before it, of the same order, has
    been confirmed.
    """
    confirmed: dict[str, int] = {}
    start_s = time.perf_counter()
    for planned in plan:
        event = planned.event
        poll()
        while (left_s := start_s + planned.due_s - time.perf_counter()) > 0 and not done.is_set():
            time.sleep(min(left_s, 0.002))
            poll()
        while wait_for_ack and confirmed.get(event.subject, 0) < event.seq - 1 and not done.is_set():
            time.sleep(0.0002)
            poll()
        if done.is_set():
            return
        by = 1 if event.type == "PaymentTaken" and len(sends) > 1 else 0

        def note(why: str, subject: str = event.subject, seq: int = event.seq) -> None:
            if not why:
                confirmed[subject] = max(confirmed.get(subject, 0), seq)

        sends[by](planned, note)
