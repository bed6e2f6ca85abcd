"""librdkafka's own broker, for a machine on which Kafka cannot run. A stand-in: only on request, and named as one.

It speaks Kafka's protocol from memory. Topics appear by themselves with four partitions, `create_topics` fails, there
are no transactions across restarts, and everything is gone when it ends.
"""

import sys
import time

from labkit.provision.child import Child
from labkit.provision.model import Place, Running, Say, Started
from labkit.provision.starting import await_ready


def start_kafka(place: Place, say: Say) -> Started:
    """Start the stand-in in a process of its own, so that it can be killed like a real one. Raises BrokerError."""
    say("Kafka: starting librdkafka's embedded broker, a stand-in")
    child = Child("kafka-embedded", [sys.executable, "-m", __name__], place.logs / "kafka-1.log")
    try:
        await_ready([child], lambda: "ready " in child.tail(50))
    except BaseException:
        child.stop(0)
        raise
    version, address = child.tail(50).split("ready ")[1].split()[:2]
    running = Running("kafka", version, "embedded", address, time.time(), {"bootstrap.servers": address})
    return Started(running, [child])


def main() -> None:
    """Serve until killed. Prints `ready VERSION ADDRESS`."""
    from confluent_kafka import Producer, libversion

    owner = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "ignored:1", "log_level": 0})
    brokers = owner.list_topics(timeout=10).brokers.values()
    address = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)
    print("ready", libversion()[0], address, flush=True)
    while True:
        owner.poll(3600)


if __name__ == "__main__":
    main()
