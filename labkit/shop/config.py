"""What one service process reads at its start: a small JSON file, readable by its owner only."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, get_origin, get_type_hints

from labkit.base.errors import SettingError
from labkit.brokers.dead_letters import dead_name
from labkit.provision.model import write_private

REACTING = ("inventory", "notification", "analytics")  # the services that react to OrderPlaced, in the chain's order
TRIES = 10  # for an event that is refused, or whose handling fails; then it goes to the dead letters
SERVICES = ("checkout", *REACTING, "mailbox")  # the shop of lesson 01
SUBSCRIBERS = (*REACTING, "fraud")  # whoever may read OrderPlaced from a broker
KNOWN = (*SERVICES, "storefront", "fraud")
RESETS = ("earliest", "latest")


@dataclass(frozen=True)
class Config:
    """One service of one shop.

    service: one of KNOWN. port: where its HTTP adapter listens, on 127.0.0.1. folder: its store and its trace.
    topic: the Kafka topic, and also the name of the RabbitMQ exchange; queues and groups are named after it.
    kafka: settings for confluent_kafka; empty: no Kafka adapter. rabbitmq: an amqp:// URL; empty: no RabbitMQ adapter.
    workers: how many events or calls it works on at the same time, for each design.
    services: checkout's address book, name -> URL. smtp_port: where the mailbox server takes mail.
    plan: a FaultPlan as JSON, with which it begins. timeout_ms: checkout's, for one call, in the designs that retry.
    reset: where a group that Kafka does not know yet begins: at the "earliest" event, or after the "latest".
    rate: the storefront's orders a second, for each broker.
    """

    service: str
    port: int
    folder: str
    topic: str = "orders"
    kafka: dict[str, str] = field(default_factory=dict)
    rabbitmq: str = ""
    workers: int = 64
    services: dict[str, str] = field(default_factory=dict)
    smtp_port: int = 0
    plan: str = "{}"
    timeout_ms: int = 250
    reset: str = "earliest"
    rate: float = 20.0

    def __post_init__(self) -> None:
        if self.service not in KNOWN:
            raise _bad("service", self.service, f"it must be one of {', '.join(KNOWN)}")
        if not 0 < self.port < 65_536:
            raise _bad("port", self.port, "it must be between 1 and 65535")
        if self.workers < 1:
            raise _bad("workers", self.workers, "it must be 1 or more")
        if self.reset not in RESETS:
            raise _bad("reset", self.reset, f"it must be {' or '.join(RESETS)}")
        if not self.rate > 0:
            raise _bad("rate", self.rate, "it must be more than 0")

    @property
    def store(self) -> Path:
        """The service's SQLite file."""
        return Path(self.folder) / f"{self.service}.db"

    @property
    def trace(self) -> Path:
        return Path(self.folder) / f"{self.service}.jsonl"

    @property
    def dead(self) -> str:
        """Name of the place for dead letters: a topic on Kafka, a queue on RabbitMQ."""
        return dead_name(self.topic)

    @property
    def queue(self) -> str:
        """The service's own queue on RabbitMQ, and its consumer group on Kafka."""
        return queue_name(self.topic, self.service)

    def write(self, path: Path) -> None:
        """For its owner only: the brokers' passwords are in it."""
        write_private(path, asdict(self))

    @staticmethod
    def read(path: Path) -> "Config":
        """Read the file that `write` made. Raises SettingError that names the field."""
        try:
            values: Any = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise SettingError(f"The service's file {path} cannot be read: {error}.", "write it anew") from error
        if not isinstance(values, dict) or not {"service", "port", "folder"} <= values.keys() <= _TYPES.keys():
            raise SettingError(f"{path} has not the fields of a service.", f"it may have: {', '.join(_TYPES)}")
        for name, value in values.items():
            wanted = _TYPES[name]
            if type(value) is not wanted:
                raise _bad(name, value, f"it must be of type {wanted.__name__}")
        return Config(**values)


_TYPES: dict[str, type] = {name: get_origin(kind) or kind for name, kind in get_type_hints(Config).items()}


def queue_name(topic: str, service: str) -> str:
    return f"{topic}.{service}"


def _bad(name: str, value: object, why: str) -> SettingError:
    return SettingError(f"A service's {name} is {value!r}: {why}.", f"correct {name} in its file")
