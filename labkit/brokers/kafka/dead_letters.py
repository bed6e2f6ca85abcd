"""Where an event goes that cannot be handled: the topic `<topic>.dead`, bytes untouched."""

from collections.abc import Mapping
from typing import Any

import confluent_kafka as ck

from labkit.base.errors import BrokerError
from labkit.brokers.kafka.topics import CURE, DEAD_SUFFIX, PATIENCE_S, provide_topic, quiet


class DeadLetters:
    """Puts letters into `<topic>.dead`, which is made when it is needed. It connects at the first letter."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._config = quiet(config)
        self._producer: ck.Producer | None = None

    def put(self, topic: str, raw: bytes, key: bytes | None, why: str, partition: int, offset: int) -> None:
        """Returns when the letter is confirmed: only then may the original be committed. Raises BrokerError.

        Its headers say why it is there, and where it was: reason, topic, partition, offset.
        """
        dead = topic + DEAD_SUFFIX
        if self._producer is None:
            self._producer = ck.Producer({"acks": "all", **self._config})
        provide_topic(self._config, dead)
        refused: list[str] = []
        headers: dict[str, str | bytes | None] = {"reason": why, "topic": topic}
        headers |= {"partition": str(partition), "offset": str(offset)}
        self._producer.produce(
            dead, raw, key, headers=headers, on_delivery=lambda error, _: refused.append(error.str()) if error else None
        )
        if self._producer.flush(PATIENCE_S) or refused:
            raise BrokerError(f"A dead letter could not be kept in {dead}: {(refused or ['no answer'])[0]}.", CURE)
