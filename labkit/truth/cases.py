"""One try of a question: what was set up, and the rows of what then happened."""

from collections.abc import Iterator
from dataclasses import dataclass

from labkit.base.errors import LabError
from labkit.events.event import Event
from labkit.events.trace import ACKED, CONFIRMED, FAILED, HANDLED, PUBLISHED, RECEIVED, Row, Trace

GIVEN_BACK = "given back"  # by its consumer, before it was handled: nacked, or sought back to
KILLED = "killed"  # a consumer or a broker, by `kill -9`
STARTED = "started"  # the broker again, on the data it had
MARK = "mark"  # key of an event that only shows how far a reader has come
TIMEOUT_S = 20.0  # that a broker may take for one step; `patience.seconds` of it where `wait.until` does not wait


class NoEvidenceError(LabError):
    """A probe could not see what it has to see; so it gives no answer, instead of a wrong one."""


@dataclass(frozen=True)
class Case:
    """words: what was tried, to be read after "Yes:" or "No:". short: the same for a narrow cell, to be read
    after "yes, if", at most 14 letters.
    rows: everything that happened, in order of time."""

    words: str
    short: str
    rows: tuple[Row, ...]


class Notes:
    """Writes the rows of one backend, and cuts them into cases."""

    def __init__(self, broker: str) -> None:
        self.broker = broker
        self.trace = Trace()

    def row(self, what: str, event: Event | None = None, who: str = "", note: str = "", channel: str = "",
            position: int = -1, t_ns: int | None = None) -> None:  # fmt: skip
        """One row about an event, or about a consumer or a broker."""
        key, seq, name = (event.subject, event.seq, event.id) if event else ("", 0, "")
        self.trace.add(what, key, seq, name, channel, position, who, self.broker, note, t_ns)

    def case(self, words: str, short: str = "") -> Case:
        """What has been written since the last case, as one. Raises NoEvidenceError when nothing has."""
        rows = tuple(self.trace.rows())
        self.trace.clear()
        if not rows:
            raise NoEvidenceError(f"Nothing happened on {self.broker}: {words}.", "this is a fault of the probe: tell")
        return Case(words, short, rows)


def orders(n: int, keys: int = 1) -> list[Event]:
    """`n` events, their keys in turn, numbered within each key."""
    return [Event("OrderPlaced", "/shop/checkout", f"order-{i % keys}", {"n": i}, seq=i // keys + 1) for i in range(n)]


def mark() -> Event:
    """An event behind all others: who has it would have had the others too."""
    return Event("OrderPlaced", "/shop/checkout", MARK, {}, seq=1)


def of(rows: tuple[Row, ...], what: str, who: str | None = None) -> Iterator[Row]:
    """The rows with that word, of one consumer or of all."""
    return (row for row in rows if row.what == what and (who is None or row.who == who))


__all__ = [
    "ACKED", "CONFIRMED", "FAILED", "GIVEN_BACK", "HANDLED", "KILLED", "MARK", "PUBLISHED", "RECEIVED", "STARTED",
    "TIMEOUT_S", "Case", "NoEvidenceError", "Notes", "Row", "mark", "of", "orders",
]  # fmt: skip
