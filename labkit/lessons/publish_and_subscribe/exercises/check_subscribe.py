"""Four processes subscribe, six orders come; all go away, two more come; all come back. Who has got what?

The same story on the stand-in, on RabbitMQ and, with the names as group ids, on Kafka.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from labkit.teach.checks.answer import AnswerError, asked
from labkit.teach.checks.channel import Declared, NamedChannel, Opener
from labkit.teach.checks.exchange import StandIn

if TYPE_CHECKING:
    import pika

EXCHANGE = "shop"

Process = tuple[str, int]  # a service and the number of its worker
Subscribe = Callable[[Any, str, str, int], Any]

PROCESSES: tuple[Process, ...] = (("inventory", 0), ("inventory", 1), ("notification", 0), ("analytics", 0))
SERVICES = tuple(dict.fromkeys(service for service, _ in PROCESSES))
ORDERS = tuple(f"order-{n}" for n in range(1, 7))
MEANWHILE = ("order-7", "order-8")  # published while nobody is there


@dataclass
class Story:
    """What every process got, before it went away and after. names: of the queue or group that it reads.

    durable: queue -> whether it outlives a restart. on_kafka: the names were group ids, and nobody went away.
    """

    names: dict[Process, Any] = field(default_factory=dict)
    before: dict[Process, list[str]] = field(default_factory=dict)
    after: dict[Process, list[str]] = field(default_factory=dict)
    durable: dict[str, bool] = field(default_factory=dict)
    on_kafka: bool = False

    def of(self, service: str, after: bool = False) -> Counter[str]:
        """How often each order came to a service, through all its workers."""
        told = self.after if after else self.before
        return Counter(order for process, orders in told.items() if process[0] == service for order in orders)


def on_a_stand_in(subscribe: Subscribe) -> Story:
    """The story on a RabbitMQ made of dictionaries. Raises AnswerError."""
    return play_out(subscribe, StandIn().channel, Declared())


def on_rabbitmq(subscribe: Subscribe, parameters: "pika.ConnectionParameters") -> Story:
    """The story on a real exchange; each process has a connection of its own. Raises AnswerError, BrokerError."""
    from labkit.teach.checks.rabbitmq import real_names

    with real_names(parameters) as (opener, declared):
        return play_out(subscribe, opener, declared)


def on_kafka(subscribe: Subscribe, config: Mapping[str, Any]) -> Story:
    """The first half on a real topic with two partitions: the names it returns are the group ids. Raises AnswerError,
    BrokerError."""
    from labkit.lessons.publish_and_subscribe.exercises.check_groups import read

    names = on_a_stand_in(subscribe).names
    before = read(config, {process: names[process] for process in PROCESSES}, ORDERS)
    return Story(names, before, on_kafka=True)


def play_out(subscribe: Subscribe, opener: Opener, declared: Declared) -> Story:
    """Let it happen. Raises AnswerError."""
    story = Story()
    with opener() as bare:
        publisher = NamedChannel(bare, declared)
        publisher.exchange_declare(EXCHANGE, "topic", durable=True)
        publisher.confirm_delivery()
        with ExitStack() as alive:
            channels = _start(subscribe, opener, declared, story, alive)
            _publish(publisher, ORDERS)
            story.before = asked(_take_turns, channels, story.names)
            asked(_consume, channels, story.names)  # so that a queue that goes with its last consumer goes
        _publish(publisher, MEANWHILE)
        with ExitStack() as alive:
            channels = _start(subscribe, opener, declared, story, alive)
            story.after = asked(_take_turns, channels, story.names)
    story.durable = {name: declared.durable.get(declared.real(name), True) for name in story.names.values()}
    return story


def _start(
    subscribe: Subscribe, opener: Opener, declared: Declared, story: Story, alive: ExitStack
) -> dict[Process, NamedChannel]:
    """Every process connects and subscribes. They live as long as `alive` does."""
    channels = {process: NamedChannel(alive.enter_context(opener()), declared) for process in PROCESSES}
    for (service, worker), channel in channels.items():
        name = asked(subscribe, channel, EXCHANGE, service, worker)
        if not isinstance(name, str):
            raise AnswerError("no name") from TypeError(f"return the name of the queue; this is {name!r:.40}")
        story.names[service, worker] = name
    return channels


def _publish(publisher: NamedChannel, orders: Sequence[str]) -> None:
    for order in orders:
        publisher.basic_publish(EXCHANGE, f"order.placed.{order}", order.encode())


def _take_turns(channels: Mapping[Process, NamedChannel], names: Mapping[Process, str]) -> dict[Process, list[str]]:
    """One message each, round after round, until nobody finds one."""
    got: dict[Process, list[str]] = {process: [] for process in channels}
    found = True
    while found:
        found = False
        for process, channel in channels.items():
            method, _, body = channel.basic_get(names[process], auto_ack=True)
            if method is not None:
                got[process].append(body.decode())
                found = True
    return got


def _consume(channels: Mapping[Process, NamedChannel], names: Mapping[Process, str]) -> None:
    for process, channel in channels.items():
        channel.basic_consume(names[process], lambda *_: None, auto_ack=True)
