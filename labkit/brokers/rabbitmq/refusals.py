"""RabbitMQ's refusals in plain words: which thing, what it is, what was asked, and what to do."""

import re
from collections.abc import Callable
from re import Match

from labkit.base.errors import BrokerError

CURE = "look at `python -m labkit status` and `python -m labkit logs rabbitmq`"
NO_ROUTE = "NO_ROUTE"
_NONE = "not set"


def refused(error: BaseException) -> BrokerError:
    """RabbitMQ's own words for an error of pika's, with a cure. What is well known is explained."""
    what, cure = explained(str(getattr(error, "reply_text", "")) or repr(error))
    return BrokerError(f"RabbitMQ refused: {what}.", cure)


def explained(text: str) -> tuple[str, str]:
    """(what, cure) for a refusal. What nobody has explained yet comes back as it is."""
    for pattern, explain in _KNOWN:
        found = re.search(pattern, text, re.DOTALL)
        if found is not None:
            return explain(found)
    return text, CURE


def unroutable(exchange: str, routing_key: str) -> str:
    """Why an event came back: the words for an error, a row of the trace, a callback."""
    if exchange:
        return f"no queue of the exchange {exchange} is bound for the routing key {routing_key!r} ({NO_ROUTE})"
    return f"no queue has the name {routing_key!r} ({NO_ROUTE})"


def cure_unroutable(exchange: str, routing_key: str) -> str:
    """What to do about it."""
    if exchange:
        return (
            f"correct the key, or bind a queue for it: declare_queue(…, exchange={exchange!r}, "
            f"routing_key={routing_key!r}); in a topic exchange `*` stands for one word, `#` for any number; "
            "`rabbitmqctl list_bindings` and the management page show what is bound"
        )
    return f"correct the name, or make the queue first: declare_queue(…, {routing_key!r})"


def _other_arguments(found: Match[str]) -> tuple[str, str]:
    argument, kind, name = found[1], found[2], found[3]
    asked, has = _value(found[4]), _value(found[5])
    what = f"the {kind} {name} is there already, and its {argument} is {has}, not {asked} (inequivalent arg)"
    delete = f"`delete(…, {name!r})`" if kind == "queue" else f"`delete(…, exchanges=({name!r},))`"
    return what, (
        f"what a {kind} is made with never changes: {_ask_again(argument, has)}, take a fresh name, or delete it "
        f"first with all that is in it, {delete}"
    )


def _ask_again(argument: str, has: str) -> str:
    keyword = "kind" if argument == "type" else argument.replace("-", "_")
    if has == _NONE:
        return f"ask for it without {keyword}"
    literal = has if has.isdecimal() else repr(has)
    return f"ask for it as it is, {keyword}={literal}" if keyword.startswith(("x_", "kind")) else "ask for it as it is"


def _value(said: str) -> str:
    """`the value '3' of type 'signedint'` and `'3'` are 3; `none` is "not set"."""
    value = re.search(r"'(.*?)'", said)
    return value[1] if value is not None else _NONE


def _get_on_stream(found: Match[str]) -> tuple[str, str]:
    return (
        f"the stream {found[1]} cannot be read by basic_get, and RabbitMQ has closed the connection (540)",
        "a stream is read from a place on, not by taking from its head: connect again, set a prefetch (basic_qos) and "
        "use basic_consume with the argument x-stream-offset; or `Consumer(…, offset='first')`",
    )


def _no_prefetch(found: Match[str]) -> tuple[str, str]:
    return (
        f"the stream {found[1]} is only read with a prefetch",
        "say how many events may be on their way: basic_qos(prefetch_count=100) before basic_consume",
    )


def _no_stream(found: Match[str]) -> tuple[str, str]:
    return (
        f"{found[1]} is a queue, not a stream: it has no offsets to begin at",
        "leave the offset away, or make a stream of another name: declare_stream(…)",
    )


def _not_there(found: Match[str]) -> tuple[str, str]:
    kind, name = found[1], found[2]
    return (
        f"there is no {kind} {name} (NOT_FOUND, no {kind})",
        f"correct the name, or declare it first: declare_{kind}(…, {name!r})",
    )


_PREFIX = r"inequivalent arg '([^']*)' for (queue|exchange) '([^']*)' in vhost '[^']*': received "
_KNOWN: tuple[tuple[str, Callable[[Match[str]], tuple[str, str]]], ...] = (
    (_PREFIX + r"(.*?) but current is (.*)", _other_arguments),
    (r"basic\.get not supported by stream queues queue '([^']*)'", _get_on_stream),
    (r"consumer prefetch count is not set for(?: stream)? queue '([^']*)'", _no_prefetch),
    (r"invalid arg 'x-stream-offset' for queue '([^']*)'", _no_stream),
    (r"no (queue|exchange) '([^']*)'", _not_there),
)
