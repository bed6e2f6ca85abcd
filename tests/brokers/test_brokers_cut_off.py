"""RabbitMQ goes away in the middle of publishing."""

import socket
import threading
from contextlib import suppress

import pika
import pytest
from on_brokers import made, read_rabbitmq

from labkit import lab
from labkit.base.errors import BrokerError
from labkit.brokers import rabbitmq
from labkit.events.event import Event

pytestmark = pytest.mark.usefixtures("brokers")


class Cable:
    """A port that leads to RabbitMQ until it is cut."""

    def __init__(self, host: str, port: int) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.to = (host, port)
        self.ends: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            near, _ = self.server.accept()
            far = socket.create_connection(self.to)
            self.ends = [near, far]
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=self._copy, args=(source, target), daemon=True).start()

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(4096):
                target.sendall(data)

    def cut(self) -> None:
        for end in self.ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self.server.close()


def test_when_rabbitmq_goes_away_in_the_middle_no_confirmed_event_is_lost(queue):
    parameters = lab.rabbitmq_parameters()
    cable = Cable(parameters.host, parameters.port)
    through = pika.ConnectionParameters(
        "127.0.0.1", cable.port, parameters.virtual_host, parameters.credentials, connection_attempts=1
    )
    answers: dict[str, str] = {}
    enough = threading.Event()

    def note(event: Event, reason: str) -> None:
        answers[event.id] = reason
        if len(answers) == 50:
            enough.set()

    publisher = rabbitmq.Publisher(through, window=20)
    events = made(2000)
    try:
        for i, event in enumerate(events):
            publisher.publish(event, "", queue, lambda reason, event=event: note(event, reason))
            if i == 150:
                assert enough.wait(20)
                cable.cut()
    except BrokerError as error:
        assert "cannot be published to" in error.what
    with pytest.raises(BrokerError, match="did not take"):
        publisher.flush()
    publisher.close()
    confirmed = {name for name, reason in answers.items() if not reason}
    refused = {name for name, reason in answers.items() if reason}
    assert confirmed
    assert refused
    assert confirmed <= {event.id for event in read_rabbitmq(queue)}


def test_a_consumer_that_is_cut_off_says_so_as_a_broker_error(queue):
    parameters = lab.rabbitmq_parameters()
    cable = Cable(parameters.host, parameters.port)
    through = pika.ConnectionParameters(
        "127.0.0.1", cable.port, parameters.virtual_host, parameters.credentials, connection_attempts=1
    )
    publisher = rabbitmq.Publisher(parameters)
    for event in made(3):
        publisher.publish(event, "", queue)
    publisher.close()
    consumer = rabbitmq.Consumer(through, queue, prefetch=1)
    events = consumer.events(idle_s=10)
    next(events)
    cable.cut()
    with pytest.raises(BrokerError) as error:
        next(events)
    assert error.value.cure
    consumer.close()
