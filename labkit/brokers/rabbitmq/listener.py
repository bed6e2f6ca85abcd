"""A consumer in a task of its own: what frameworks call a listener."""

from collections.abc import Callable, Sequence
from typing import Any

import pika
from pika.exceptions import AMQPError

from labkit.base.cleanup import cleanup
from labkit.base.tasks import TaskGroup
from labkit.brokers.rabbitmq.consumer import Consumer, Received
from labkit.brokers.rabbitmq.refusals import refused
from labkit.events.trace import Tracer

_POLL_S = 0.05  # how long it takes at most until a listener sees that it is to end


class Listener:
    """Consumes in a task of its own, and hands every event to `handle`, one by one, until the tasks are done.

    queue: a queue that is there, or several. handle(received, consumer) says itself what becomes of the event:
    `consumer.ack(received)`, `nack`, `reject`. Another thread says it by way of the listener's:
    `consumer.connection.add_callback_threadsafe(partial(consumer.ack, received))`. What `handle` raises ends the tasks,
    and is raised where they are waited for; so is what RabbitMQ says. at_end: called in the listener's thread after the
    last event; what it has acknowledged by then reaches RabbitMQ. settings: as for `Consumer` (offset, auto_ack).
    ready: RabbitMQ sends what is in the queue from now on.
    """

    def __init__(
        self,
        tasks: TaskGroup,
        parameters: pika.ConnectionParameters,
        queue: str | Sequence[str],
        handle: Callable[[Received, Consumer], object],
        trace: Tracer | None = None,
        who: str = "",
        prefetch: int = 100,
        at_end: Callable[[], object] | None = None,
        **settings: Any,
    ) -> None:
        self.ready = False
        self._parameters, self._queue, self._handle, self._at_end = parameters, queue, handle, at_end
        self._done, self._settings = tasks.done, {"prefetch": prefetch, "provide": False, **settings}
        tasks.start(self._listen, trace, who, name=f"listener {who or queue}")

    def _listen(self, trace: Tracer | None, who: str) -> None:
        consumer = Consumer(self._parameters, self._queue, trace, who, **self._settings)
        try:
            self._read(consumer)
        except AMQPError as error:  # of the bare client, in `handle`
            raise refused(error) from error
        finally:
            consumer.close()

    def _read(self, consumer: Consumer) -> None:
        poll, handle, is_done = consumer.poll, self._handle, self._done.is_set
        received = poll(0)
        self.ready = True
        with cleanup(lambda: self._finish(consumer)):
            while not is_done():
                if received is not None:
                    handle(received, consumer)
                received = poll(_POLL_S)

    def _finish(self, consumer: Consumer) -> None:
        if self._at_end is not None:
            self._at_end()
            if consumer.connection.is_open:
                consumer.connection.process_data_events(time_limit=0)  # what other threads have acknowledged


def wait_until_ready(tasks: TaskGroup, *listeners: Listener, within_s: float = 20.0) -> None:
    """Until RabbitMQ sends to all of them. What is published before waits in the queues.

    Raises the error of a task, NotInTimeError.
    """
    tasks.wait(lambda: all(listener.ready for listener in listeners), within_s, "every listener listens")
