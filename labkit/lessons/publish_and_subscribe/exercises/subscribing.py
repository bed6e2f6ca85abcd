"""Lesson 02, repair: a subscription that gives each service its own copy, and lets two workers share one."""

from collections.abc import Sequence
from typing import Any

from labkit.lessons.publish_and_subscribe.exercises.check_subscribe import (
    MEANWHILE,
    ORDERS,
    SERVICES,
    Story,
    on_a_stand_in,
)
from labkit.teach.exercises.exercise import Exercise, Wrong
from labkit.teach.exercises.verdict import Finding


def _stub(channel: Any, exchange: str, service: str, worker: int) -> Any:
    """Each process calls it when it starts. Returns the name of the queue from which the process reads."""
    queue = "orders"
    channel.queue_declare(queue)
    channel.queue_bind(queue, exchange, "#")
    return queue


def _answer(channel: Any, exchange: str, service: str, worker: int) -> str:
    queue = service
    channel.queue_declare(queue, durable=True)
    channel.queue_bind(queue, exchange, "#")
    return queue


def _shares(channel: Any, exchange: str, service: str, worker: int) -> str:
    queue = "orders"
    channel.queue_declare(queue, durable=True)
    channel.queue_bind(queue, exchange, "#")
    return queue


def _each_worker(channel: Any, exchange: str, service: str, worker: int) -> str:
    queue = f"{service}.{worker}"
    channel.queue_declare(queue, durable=True)
    channel.queue_bind(queue, exchange, "#")
    return queue


def _nameless(channel: Any, exchange: str, service: str, worker: int) -> str:
    queue: str = channel.queue_declare("", exclusive=True).method.queue
    channel.queue_bind(queue, exchange, "#")
    return queue


def _auto_deletes(channel: Any, exchange: str, service: str, worker: int) -> str:
    queue = service
    channel.queue_declare(queue, durable=True, auto_delete=True)
    channel.queue_bind(queue, exchange, "#")
    return queue


def _does_not_bind(channel: Any, exchange: str, service: str, worker: int) -> str:
    queue = service
    channel.queue_declare(queue, durable=True)
    return queue


def _not_durable(channel: Any, exchange: str, service: str, worker: int) -> str:
    queue = service
    channel.queue_declare(queue)
    channel.queue_bind(queue, exchange, "#")
    return queue


def judge(story: Story) -> Sequence[Finding]:
    """Whether everybody got what is theirs, on whatever broker."""
    findings = [_each_gets_all(story), _workers_share(story)]
    if story.on_kafka or not findings[0].right:  # a second half would say the same again
        return findings
    return [*findings, _kept_meanwhile(story), _outlives(story)]


def _each_gets_all(story: Story) -> Finding:
    for service in SERVICES:
        got = len(story.of(service))
        if got == len(ORDERS):
            continue
        if _shares_with_others(story, service):
            why = "others took the rest out of the same place: who needs a copy needs a place of its own"
        else:
            why = "no binding brings it the rest"
        return Finding(False, f"{service} got {got} of {len(ORDERS)} orders, {why}.{_names(story)}")
    return Finding(True, f"Inventory, notification and analytics each get all {len(ORDERS)} orders.")


def _shares_with_others(story: Story, service: str) -> bool:
    mine = {name for process, name in story.names.items() if process[0] == service}
    return any(name in mine for process, name in story.names.items() if process[0] != service)


def _workers_share(story: Story) -> Finding:
    service = SERVICES[0]
    twice = [order for order, times in story.of(service).items() if times > 1]
    if twice:
        return Finding(
            False,
            f"{len(twice)} orders are reserved twice: both workers of inventory got them. Workers of one service read "
            f"from one place.{_names(story)}",
        )
    return Finding(True, "The two workers of inventory share its copy: nothing is reserved twice.")


def _kept_meanwhile(story: Story) -> Finding:
    for service in SERVICES:
        lost = [order for order in MEANWHILE if order not in story.of(service, after=True)]
        if lost:
            return Finding(
                False,
                f"{', '.join(lost)} came while {service} was away, and {service} never got them: "
                "its queue did not wait for it.",
            )
    return Finding(True, f"What comes while a service is away ({len(MEANWHILE)} orders) waits for it.")


def _outlives(story: Story) -> Finding:
    weak = [queue for queue in story.names.values() if not story.durable.get(queue, True)]
    if weak:
        return Finding(
            False, "A restart of RabbitMQ would delete the queue, with all that waits in it: it is not durable."
        )
    return Finding(True, "The queues are durable: they outlive a restart of RabbitMQ.")


def _names(story: Story) -> str:
    """Who reads from where, in the learner's own names."""
    reads = [f"{service}/{worker} {_short(name)}" for (service, worker), name in story.names.items()]
    return f" Read: {', '.join(reads)}."


def _short(name: str) -> str:
    return "one named by RabbitMQ" if name.startswith("amq.gen-") else name


subscribe = Exercise(
    name="subscribe",
    task="Repair the subscription: inventory, notification and analytics each get every order, the two workers of "
    "inventory share theirs, and what comes while a service is away waits for it.",
    stub=_stub,
    answer=_answer,
    judge=lambda answer: judge(on_a_stand_in(answer)),
    hints=(
        "Four processes call this function. How many queues should there be afterwards?",
        "One queue a service: so the queue's name must differ from service to service, and must not from worker to "
        "worker. And think of `durable`: a queue that a restart deletes waits for nobody.",
        "queue = service; channel.queue_declare(queue, durable=True); bind it; return queue.",
    ),
    wrong=(
        Wrong(_shares, "who is bound to the exchange gets everything", "others took the rest out of the same place"),
        Wrong(_each_worker, "every process needs a queue of its own", "both workers of inventory got them"),
        Wrong(_nameless, "a queue of its own for every connection is the clean way", "never got them"),
        Wrong(_auto_deletes, "a queue without a reader is rubbish", "its queue did not wait for it"),
        Wrong(_does_not_bind, "a queue gets events because it is there", "no binding brings it the rest"),
        Wrong(_not_durable, "a queue is there until somebody deletes it", "it is not durable"),
    ),
)
