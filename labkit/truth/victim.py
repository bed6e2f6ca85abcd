"""A consumer in a process of its own, to be killed by `kill -9` while it holds an event that it has not acknowledged.

`python -m labkit.truth.victim` reads its order as one line of JSON from standard input, takes three events,
acknowledges two, says so line by line, and then holds on until it is killed. It ends by itself with its parent.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

from labkit.base.settings import course_root
from labkit.events.event import Event
from labkit.truth.cases import ACKED, KILLED, PATIENCE_S, RECEIVED, NoEvidenceError, Notes
from labkit.truth.judges import FIRST

if TYPE_CHECKING:
    from labkit.truth.kafka_hands import KafkaHands

TAKES, ACKNOWLEDGES = 3, 2
# A member with a name: who comes under the same name takes its place at once. The stand-in waits for the timeout.
MEMBER: dict[str, Any] = {"group.instance.id": "one", "session.timeout.ms": 6000}


def of_kafka(kafka: "KafkaHands", topic: str, group: str) -> None:
    """Let a member of the group die on this topic. Its name in the group is "one": who comes next takes its place."""
    config = {key: value for key, value in kafka.config.items() if key != "logger"}
    _die(kafka, {"broker": "kafka", "config": config, "topic": topic, "group": group})


def of_rabbitmq(notes: Notes, url: str, queue: str, arguments: dict[str, Any]) -> None:
    """Let a consumer of this queue die. arguments: of its `basic_consume`."""
    _die(notes, {"broker": "rabbitmq", "url": url, "queue": queue, "arguments": arguments})


def _die(notes: Notes, order: dict[str, Any]) -> None:
    """Start the process, write its lines down as rows, and kill it once it holds its third event."""
    argv = [sys.executable, "-m", __name__]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=course_root())
    late = threading.Timer(2 * PATIENCE_S, process.kill)  # its silence must not hold us for ever
    late.start()
    try:
        assert process.stdin and process.stdout
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
        received = 0
        for line in process.stdout:
            told = json.loads(line)
            where = str(order.get("queue") or order["topic"])
            notes.row(told["what"], Event.from_dict(told["event"]), FIRST, "", where, told["position"])
            received += told["what"] == RECEIVED
            if received == TAKES:
                break
        else:
            raise NoEvidenceError("The consumer that was to be killed ended before it had its events.", "ask again")
        os.kill(process.pid, signal.SIGKILL)
        process.wait(PATIENCE_S)
        notes.row(KILLED, who=FIRST, note="kill -9")
    finally:
        late.cancel()
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                pipe.close()


def main() -> None:
    order = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    {"kafka": _on_kafka, "rabbitmq": _on_rabbitmq}[order["broker"]](order)


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)


def _tell(what: str, raw: bytes, position: int) -> None:
    print(json.dumps({"what": what, "event": json.loads(raw), "position": position}), flush=True)


def _on_kafka(order: dict[str, Any]) -> None:
    import confluent_kafka as ck

    mine = {"group.id": order["group"], "auto.offset.reset": "earliest", "enable.auto.commit": False, "log_level": 0}
    consumer = ck.Consumer({**order["config"], **mine, **MEMBER})
    consumer.subscribe([order["topic"]])
    for i in range(TAKES):
        message = None
        while message is None or message.error() is not None:
            message = consumer.poll(1)
        raw, offset = message.value() or b"", message.offset() or 0
        _tell(RECEIVED, raw, offset)
        if i < ACKNOWLEDGES:
            consumer.commit(message=message, asynchronous=False)
            _tell(ACKED, raw, offset)
    threading.Event().wait()  # here: the consumer would leave its group tidily when this function ends


def _on_rabbitmq(order: dict[str, Any]) -> None:
    import pika

    connection = pika.BlockingConnection(pika.URLParameters(order["url"]))
    channel = connection.channel()
    channel.basic_qos(prefetch_count=TAKES)
    for i, (method, properties, raw) in enumerate(channel.consume(order["queue"], arguments=order["arguments"])):
        position = int((properties.headers or {}).get("x-stream-offset", -1))
        _tell(RECEIVED, raw, position)
        if i == TAKES - 1:
            break
        channel.basic_ack(method.delivery_tag)
        connection.process_data_events(0)
        _tell(ACKED, raw, position)
    threading.Event().wait()


if __name__ == "__main__":
    main()
