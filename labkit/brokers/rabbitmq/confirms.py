"""Publisher confirms: what has been published on a channel, and which of it RabbitMQ has taken."""

from collections.abc import Callable
from itertools import takewhile
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Confirms(Generic[T]):
    """What RabbitMQ has not answered yet, on one channel with `confirm_delivery`.

    Bookkeeping alone: it knows no client, and belongs to one thread. message_id: of one that was published; it is asked
    for only when RabbitMQ has returned a message.
    unconfirmed: delivery tag -> what was published. RabbitMQ counts the tags of a channel from 1, without a gap.
    """

    def __init__(self, message_id: Callable[[T], str] = str) -> None:
        self.unconfirmed: dict[int, T] = {}
        self._message_id = message_id
        self._returned: dict[str, str] = {}
        self._tag = 0

    def published(self, one: T) -> None:
        """The next message of the channel."""
        self._tag += 1
        self.unconfirmed[self._tag] = one

    def returned(self, message_id: str, why: str) -> None:
        """No queue took this message (`mandatory`). RabbitMQ confirms it all the same, afterwards."""
        self._returned[message_id] = why

    def answered(self, method: Any) -> list[tuple[T, str]]:
        """All that this Basic.Ack or Basic.Nack stands for; each with "" when it is safe, else with the reason."""
        tag, unconfirmed, returned = method.delivery_tag, self.unconfirmed, self._returned
        refused = "" if method.NAME == "Basic.Ack" else "RabbitMQ answered with a nack"
        if not method.multiple and not returned:
            return [(unconfirmed.pop(tag), refused)]
        tags = list(takewhile(tag.__ge__, unconfirmed)) if method.multiple else [tag]
        found = [unconfirmed.pop(each) for each in tags]
        return [(one, returned.pop(self._message_id(one), refused) if returned else refused) for one in found]

    def lost(self) -> list[T]:
        """The channel is gone: what it has not answered, and perhaps never got. The next channel begins anew."""
        lost = list(self.unconfirmed.values())
        self.unconfirmed.clear()
        self._returned.clear()
        self._tag = 0
        return lost
