"""Dead letters on RabbitMQ: the broker puts them into `<queue>.dead`, and writes down what has become of them."""

from dataclasses import dataclass

import pika

from labkit.brokers.dead_letters import dead_name
from labkit.brokers.rabbitmq.topology import channel


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that its consumer cannot handle. queue: where it died. reason: RabbitMQ's word: "rejected", "expired", …

    RabbitMQ is not told why an event is rejected: who rejects it must write that down.
    """

    raw: bytes
    queue: str
    reason: str


def read(parameters: pika.ConnectionParameters, name: str) -> list[DeadLetter]:
    """All that is in `<name>.dead`. It is taken without an ack, and so goes back. Raises BrokerError."""
    found: list[DeadLetter] = []
    with channel(parameters) as ch:
        while (got := ch.basic_get(dead_name(name)))[0] is not None:
            death = ((got[1].headers or {}).get("x-death") or [{}])[0]
            found.append(DeadLetter(got[2], str(death.get("queue", "")), str(death.get("reason", ""))))
    return found
