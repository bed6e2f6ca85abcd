"""What a notebook says: `from labkit import lab; lab.start()`.

The settings it hands out are plain: a dictionary for `confluent_kafka`, `ConnectionParameters` for `pika`.
"""

import html
import os
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.base.errors import LabError, NotRunningError
from labkit.provision import holder
from labkit.provision.model import NAMES, Running, Wanted

if TYPE_CHECKING:
    import pika

_hold: holder.Hold | None = None
_lock = threading.Lock()


class Table:
    """The brokers that run, as a small table: HTML in a notebook, text elsewhere."""

    HEAD = ("broker", "version", "where from", "address", "since")

    def __init__(self, brokers: Sequence[Running]) -> None:
        self._rows = [
            (
                NAMES[broker.broker] if broker.source != "embedded" else "stand-in for Kafka",
                broker.version or "not told",
                broker.source,
                broker.address.replace(",", " "),
                holder.since_words(broker.since),
            )
            for broker in brokers
        ]

    def __repr__(self) -> str:
        rows = [self.HEAD, *self._rows]
        widths = [max(len(row[i]) for row in rows) for i in range(len(self.HEAD))]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
        )

    def _repr_html_(self) -> str:
        def line(tag: str, cells: Sequence[str]) -> str:
            return (
                "<tr>"
                + "".join(f'<{tag} style="text-align:left">{html.escape(cell)}</{tag}>' for cell in cells)
                + "</tr>"
            )

        return f"<table>{line('th', self.HEAD)}{''.join(line('td', row) for row in self._rows)}</table>"


def start(wanted: Wanted | None = None) -> Table:
    """Join the lab, or start it, and return the table of what runs.

    The lab stays up while this process lives. The very first start on a machine fetches the brokers, and may take a
    minute. Raises a LabError that says what is wrong and what to do.
    """
    global _hold
    with _lock:
        if _hold is None or not _hold.alive():
            progress = _Progress()
            try:
                _hold = holder.start(wanted, progress.say, who=_who())
            finally:
                progress.clear()
        else:
            holder.revive()  # a broker that has died while we held the lab
        return Table(_hold.brokers)


def stop() -> None:
    """Let go of the lab. It stops by itself when nobody holds it for a while."""
    global _hold
    with _lock:
        if _hold is not None:
            _hold.close()
            _hold = None


def running() -> list[Running]:
    """The brokers of the lab. Raises NotRunningError before `start`, and after the lab has gone."""
    if _hold is None:
        raise NotRunningError("The lab has not been started in this notebook.", "run the cell with `lab.start()`")
    if not _hold.alive():
        raise NotRunningError("The lab has stopped, and its brokers with it.", "run the cell with `lab.start()` again")
    return _hold.brokers


class UnknownBrokerError(LabError):
    """A broker is asked for that is none, or that is not there."""

    exit_code = 2


@dataclass(frozen=True)
class Brokers:
    """The brokers of a run: who they are, and how a client reaches them. `"kafka" in brokers` asks for one of them."""

    running: tuple[Running, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """As code calls them: ("kafka", "rabbitmq")."""
        return tuple(broker.broker for broker in self.running)

    @property
    def title(self) -> str:
        """As a text calls them: `Kafka and RabbitMQ`."""
        return " and ".join(NAMES[name] for name in self.names)

    @property
    def labels(self) -> Mapping[str, str]:
        """What each of them is: {"kafka": "Kafka 4.4.0 · native"}."""
        return {broker.broker: broker.label for broker in self.running}

    @property
    def stamp(self) -> str:
        """All labels in one line, for the corner of a plot and the provenance of a result."""
        return " · ".join(self.labels.values())

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def __getitem__(self, name: str) -> Running:
        """One of them. Raises UnknownBrokerError."""
        for broker in self.running:
            if broker.broker == name:
                return broker
        raise UnknownBrokerError(f"{name!r} is none of the brokers here.", f"take one of: {', '.join(self.names)}")

    def kafka_config(self) -> dict[str, str]:
        """Settings for any `confluent_kafka` client; a new dictionary on every call. Raises UnknownBrokerError."""
        return dict(self["kafka"].client)

    def rabbitmq_url(self) -> str:
        """The amqp:// address, for a process of its own; it holds a password. Raises UnknownBrokerError."""
        return self["rabbitmq"].client["url"]

    def rabbitmq_parameters(self) -> "pika.ConnectionParameters":
        """Parameters for any `pika` connection. Raises UnknownBrokerError."""
        import pika

        parameters = pika.URLParameters(self.rabbitmq_url())
        if self["rabbitmq"].source != "external":
            # Who stops to read in a notebook is silent for minutes, and must not be taken for dead. On this machine a
            # broker that is gone closes the socket anyway.
            parameters.heartbeat = 0
        return parameters


def brokers(which: str | Iterable[str] = "both") -> Brokers:
    """Those brokers of the lab that a run uses. which: "kafka", "rabbitmq", "both", or several names.

    Raises UnknownBrokerError for another word, and when one of them is not in this lab; NotRunningError.
    """
    names = [which] if isinstance(which, str) else list(which)
    for name in names:
        if name not in ("both", *NAMES):
            raise UnknownBrokerError(f"There is no broker {name!r}.", f"take one of: both, {', '.join(NAMES)}")
    wanted = [name for name in NAMES if name in names or "both" in names]
    here = {broker.broker: broker for broker in running()}
    if missing := [name for name in wanted if name not in here]:
        raise UnknownBrokerError(
            f"{NAMES[missing[0]]} does not run in this lab.",
            f"take {' or '.join(here)}; or look at `python -m labkit status` for why it is not there",
        )
    return Brokers(tuple(here[name] for name in wanted))


def kafka_config() -> dict[str, str]:
    """Settings for any `confluent_kafka` client: `Producer(lab.kafka_config())`. A new dictionary on every call."""
    return brokers("kafka").kafka_config()


def rabbitmq_parameters() -> "pika.ConnectionParameters":
    """Parameters for any `pika` connection: `pika.BlockingConnection(lab.rabbitmq_parameters())`."""
    return brokers("rabbitmq").rabbitmq_parameters()


def stamp() -> str:
    """What runs, in one line, for the corner of a plot: `Kafka 4.4.0 · native · RabbitMQ 4.0.5 · native`."""
    return Brokers(tuple(running())).stamp


def _who() -> str:
    what = "notebook" if "ipykernel" in sys.modules else Path(sys.argv[0] or "python").name
    return f"{what} (pid {os.getpid()})"


class _Progress:
    """Lines that show while the lab starts: on standard error in a script. In a notebook they vanish afterwards, so
    that saved outputs stay the same."""

    def __init__(self) -> None:
        self._shown = False

    def say(self, line: str) -> None:
        if "ipykernel" not in sys.modules:
            print(line, file=sys.stderr, flush=True)
            return
        from IPython.display import clear_output

        clear_output(wait=True)  # type: ignore[no-untyped-call]
        print(line, flush=True)
        self._shown = True

    def clear(self) -> None:
        if self._shown:
            from IPython.display import clear_output

            clear_output()  # type: ignore[no-untyped-call]
