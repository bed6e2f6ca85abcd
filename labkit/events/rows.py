"""The words and the columns of the trace. `trace.py` has what adds and reads rows; take all of this from there."""

import time
from typing import NamedTuple

# What can happen. The words of the column `what`; a lesson may add its own.
DUE = "due"  # the moment at which a sender should have sent
PUBLISHED = "published"  # handed to the client
CONFIRMED = "confirmed"  # the broker says that it has it
RECEIVED = "received"  # a consumer has it
HANDLED = "handled"  # the handler is through, without an error
FAILED = "failed"  # the handler raised, or the broker refused; `note` says why
ACKED = "acked"  # the consumer told the broker: acknowledged (RabbitMQ) or committed (Kafka)
DEAD = "dead"  # put with the dead letters; `note` says why
EFFECT = "effect"  # something that stays: stock reserved, mail sent; `seq` is the state that is now applied
USED = "used"  # a handler read the state of the key; `seq` says which state it saw
ASKED = "asked"  # a customer's request left
ANSWERED = "answered"  # the customer has the answer


class Row(NamedTuple):
    """One thing that happened.

    t_ns: when, by `now_ns`. what: one of the words above. key: what it is about, the event's subject.
    seq: the event's number among those of its key; 0 when it has none. event_id: which event.
    channel: where it lay: `orders/2` for partition 2 of a Kafka topic, a queue's name on RabbitMQ.
    position: its place there (Kafka's offset); -1 when there is none.
    who: the service, and after a `#` which of several: `inventory`, `inventory#2`.
    broker: `kafka`, `rabbitmq`, …
    note: in words. The event's type when published, received or handled; the reason when failed or dead.
    """

    t_ns: int
    what: str
    key: str = ""
    seq: int = 0
    event_id: str = ""
    channel: str = ""
    position: int = -1
    who: str = ""
    broker: str = ""
    note: str = ""


def role(who: str) -> str:
    """The service without the number of the copy: `inventory#2` is `inventory`."""
    return who.partition("#")[0]


def said(who: str) -> str:
    """The name in words: `inventory#2` is `inventory 2`."""
    return who.replace("#", " ")


now_ns = time.monotonic_ns
