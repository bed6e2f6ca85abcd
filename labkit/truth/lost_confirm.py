"""A publisher whose connection breaks after RabbitMQ has the event, and before the confirm arrives."""

import contextlib
import socket
import threading

import pika
from pika.exceptions import AMQPError

from labkit.base import wait
from labkit.events.event import Event
from labkit.truth.cases import FAILED, PATIENCE_S, PUBLISHED, Notes


class Wire:
    """A wire between one client and RabbitMQ, which can go deaf (no more answers to the client), and be cut."""

    def __init__(self, host: str, port: int) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self.deaf = False
        self.swallowed = threading.Event()  # an answer that the client does not hear
        self._ends: list[socket.socket] = []
        self._to = (host, port)
        self._threads = [threading.Thread(target=self._join, name="wire", daemon=True)]
        self._threads[0].start()

    def _join(self) -> None:
        with contextlib.suppress(OSError):  # the wire was cut before anybody came
            client, _ = self._server.accept()
            broker = socket.create_connection(self._to, PATIENCE_S)
            broker.settimeout(None)
            self._ends += [client, broker]
            back = threading.Thread(target=self._carry, args=(broker, client, True), name="wire back", daemon=True)
            self._threads.append(back)
            back.start()
            self._carry(client, broker, False)

    def _carry(self, source: socket.socket, target: socket.socket, answers: bool) -> None:
        with contextlib.suppress(OSError):  # cut
            while data := source.recv(65536):
                if answers and self.deaf:
                    self.swallowed.set()
                else:
                    target.sendall(data)

    def cut(self) -> None:
        for end in (*self._ends, self._server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        for thread in self._threads:
            thread.join(PATIENCE_S)


def publish_and_lose_the_confirm(notes: Notes, queue: str, event: Event, url: str) -> None:
    """Publish with confirms over a wire that is cut once RabbitMQ has answered. A row says what the sender heard."""
    parameters = pika.URLParameters(url)
    wire = Wire(parameters.host, parameters.port)
    parameters.host, parameters.port = "127.0.0.1", wire.port
    heard: list[str] = []

    def publish(channel: pika.adapters.blocking_connection.BlockingChannel) -> None:
        try:
            channel.basic_publish("", queue, event.to_bytes(), pika.BasicProperties(delivery_mode=2))
            heard.append("")
        except AMQPError as error:
            heard.append(type(error).__name__)

    connection = pika.BlockingConnection(parameters)
    channel = connection.channel()
    channel.confirm_delivery()
    wire.deaf = True
    notes.row(PUBLISHED, event, "checkout", "", queue, len(event.to_bytes()))
    sender = threading.Thread(target=publish, args=(channel,), name="sender", daemon=True)
    sender.start()
    try:
        wait.until(wire.swallowed.is_set, PATIENCE_S, "RabbitMQ has confirmed an event to a deaf sender")
    finally:
        wire.cut()
        sender.join(PATIENCE_S)
    if heard and heard[0]:
        notes.row(FAILED, event, "checkout", "no confirm", queue)
