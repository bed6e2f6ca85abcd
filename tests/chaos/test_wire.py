"""A TCP proxy that loses answers, in front of a tiny server that repeats what it hears, and of real brokers."""

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import suppress

import confluent_kafka as ck
import pika
import pytest
from on_brokers import made, read_kafka, read_rabbitmq
from pika.exceptions import AMQPError

from labkit import lab
from labkit.base import names, wait
from labkit.brokers import kafka
from labkit.chaos import wire as wires
from labkit.chaos.wire import Wire, WireError


class Repeat(socketserver.BaseRequestHandler):
    heard: bytearray

    def handle(self) -> None:
        with suppress(ConnectionError):  # cut
            while data := self.request.recv(1 << 16):
                self.heard.extend(data)
                self.request.sendall(data)


@pytest.fixture
def heard() -> bytearray:
    """What has arrived at the server."""
    return bytearray()


@pytest.fixture
def port(heard: bytearray) -> Iterator[int]:
    """The port of the server."""
    handler = type("Handler", (Repeat,), {"heard": heard})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.fixture
def wire(port: int) -> Iterator[Wire]:
    with Wire("127.0.0.1", port) as found:
        yield found


class Line:
    """A client."""

    def __init__(self, wire: Wire) -> None:
        self.end = socket.create_connection((wire.host, wire.port), timeout=10)
        self.answers = self.end.makefile("rb")

    def say(self, line: bytes) -> None:
        self.end.sendall(line)

    def ask(self, line: bytes) -> bytes:
        """The answer; empty when the connection has ended."""
        try:
            self.say(line)
            return self.answers.readline()
        except ConnectionError:
            return b""

    def close(self) -> None:
        self.answers.close()
        self.end.close()


@pytest.fixture
def line(wire: Wire) -> Iterator[Line]:
    found = Line(wire)
    yield found
    found.close()


def test_a_wire_carries_both_ways_what_does_not_fit_into_one_read(line: Line) -> None:
    long = b"x" * 3_000_000 + b"\n"
    sender = threading.Thread(target=line.say, args=(long,))
    sender.start()
    assert line.answers.readline() == long
    sender.join()


def test_what_was_said_last_arrives_when_the_client_hangs_up(line: Line, heard: bytearray) -> None:
    line.say(b"x" * 1_000_000 + b"\n")
    line.end.shutdown(socket.SHUT_WR)
    assert len(line.answers.readline()) == 1_000_001
    assert line.answers.read() == b""
    assert len(heard) == 1_000_001


def test_the_answer_to_a_marked_request_is_lost_once(wire: Wire, line: Line, heard: bytearray) -> None:
    wire.lose_the_answer_to(["e-17", "e-18"])
    assert line.ask(b"e-16\n") == b"e-16\n"
    assert line.ask(b"e-17\n") == b""
    again = Line(wire)
    assert again.ask(b"e-17\n") == b"e-17\n"
    assert again.ask(b"e-18\n") == b""
    again.close()
    assert wire.lost == 2
    assert heard == b"e-16\ne-17\ne-17\ne-18\n"


def test_a_marker_that_comes_in_two_pieces_is_seen(wire: Wire, line: Line, heard: bytearray) -> None:
    wire.lose_the_answer_to(["e-17"])
    assert line.ask(b"first e\n") == b"first e\n"
    line.say(b"and e-")
    assert line.answers.read(6) == b"and e-"
    line.say(b"17\n")
    assert line.answers.readline() == b""
    assert heard == b"first e\nand e-17\n"


def test_answers_that_get_lost_leave_the_connection_open(wire: Wire, line: Line, heard: bytearray) -> None:
    wire.lose_answers()
    line.say(b"e-17\n")
    wait.until(lambda: wire.lost, 10, "an answer is lost")
    assert heard == b"e-17\n"
    wire.restore()
    assert line.ask(b"e-18\n") == b"e-18\n"


def test_an_answer_can_get_lost_in_its_middle(wire: Wire, line: Line) -> None:
    wire.lose_answers(after_bytes=2)
    line.say(b"e-17\n")
    assert line.answers.read(2) == b"e-"
    wait.until(lambda: wire.lost, 10, "the rest is lost")
    line.say(b"e-18\n")
    wait.until(lambda: wire.lost == 2, 10, "all of the next one is lost")
    wire.cut()
    assert line.answers.read() == b""


def test_a_wire_that_is_held_keeps_everything_until_it_is_restored(wire: Wire, line: Line, heard: bytearray) -> None:
    assert line.ask(b"e-16\n") == b"e-16\n"
    wire.hold()
    line.say(b"e-17\n")
    line.end.settimeout(0.1)
    with pytest.raises(TimeoutError):
        line.end.recv(1)
    assert heard == b"e-16\n"
    line.end.settimeout(10)
    wire.restore()
    assert line.end.recv(100) == b"e-17\n"


def test_a_cut_breaks_every_connection_and_takes_new_ones(wire: Wire, line: Line) -> None:
    other = Line(wire)
    assert other.ask(b"e-16\n") == b"e-16\n"
    assert line.ask(b"e-16\n") == b"e-16\n"
    wire.cut()
    assert line.ask(b"e-17\n") == b""
    assert other.ask(b"e-17\n") == b""
    other.close()
    again = Line(wire)
    assert again.ask(b"e-18\n") == b"e-18\n"
    again.close()


def test_an_unplugged_wire_refuses_connections_until_it_is_plugged_in(wire: Wire, line: Line) -> None:
    assert line.ask(b"e-16\n") == b"e-16\n"
    wire.unplug()
    assert line.ask(b"e-17\n") == b""
    with pytest.raises(ConnectionRefusedError):
        Line(wire)
    wire.plug_in()
    again = Line(wire)
    assert again.ask(b"e-18\n") == b"e-18\n"
    again.close()


def test_a_wire_to_a_server_that_is_not_there_ends_connections_at_once(port: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        free = other.getsockname()[1]
    with Wire("127.0.0.1", free) as wire:
        line = Line(wire)
        assert line.ask(b"e-17\n") == b""
        line.close()


def test_a_closed_wire_leaves_no_thread_and_no_connection(port: int) -> None:
    threads = threading.active_count()
    with Wire("127.0.0.1", port) as wire:
        line = Line(wire)
        assert line.ask(b"e-17\n") == b"e-17\n"
    assert "wire" not in {thread.name for thread in threading.enumerate()}
    assert line.ask(b"e-18\n") == b""
    line.close()
    with pytest.raises(ConnectionRefusedError):
        Line(wire)
    with pytest.raises(WireError, match="not open") as error:
        wire.cut()
    assert error.value.cure
    wait.until(lambda: threading.active_count() <= threads, 10, "the server's own threads have ended")


def test_an_error_inside_the_wire_is_raised_at_the_end(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(wire: Wire, data: bytes) -> bytes:
        raise ZeroDivisionError

    monkeypatch.setattr(Wire, "_with_our_port", broken)
    with pytest.raises(ZeroDivisionError), Wire("127.0.0.1", port) as wire:
        line = Line(wire)
        assert line.ask(b"e-17\n") == b""
        line.close()


def test_the_error_of_the_body_wins_over_the_wires(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Wire, "_with_our_port", lambda wire, data: 1 / 0)
    with pytest.raises(KeyError), Wire("127.0.0.1", port) as wire:
        line = Line(wire)
        assert line.ask(b"e-17\n") == b""
        line.close()
        raise KeyError


def test_a_port_that_another_program_takes_first_is_passed_over(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    real = wires.ports.free
    offered = [[port], [port]]
    monkeypatch.setattr(wires.ports, "free", lambda count: offered.pop() if offered else real(count))
    with Wire("127.0.0.1", port) as wire:
        assert wire.port != port
    offered += [[port]] * 3
    with pytest.raises(WireError, match=str(port)), Wire("127.0.0.1", port):
        pass


def test_only_a_kafka_on_this_machine_can_have_a_wire() -> None:
    with pytest.raises(WireError, match=r"kafka\.example") as error:
        Wire("kafka.example", 9092, kafka=True)
    assert error.value.cure


@pytest.mark.usefixtures("brokers")
def test_a_confirm_of_rabbitmq_gets_lost_and_the_event_is_there(queue: str) -> None:
    parameters = lab.rabbitmq_parameters()
    (event,) = made(1)
    with Wire(parameters.host, parameters.port) as wire:
        parameters.host, parameters.port = wire.host, wire.port
        channel = pika.BlockingConnection(parameters).channel()
        channel.confirm_delivery()
        wire.lose_the_answer_to([event.id])
        with pytest.raises(AMQPError):
            channel.basic_publish("", queue, event.to_bytes())
        assert wire.lost == 1
    assert [one.id for one in read_rabbitmq(queue)] == [event.id]


@pytest.mark.usefixtures("brokers")
def test_an_answer_of_kafka_gets_lost_and_the_producer_comes_back_over_the_wire(topic: str) -> None:
    config = lab.kafka_config()
    host, _, port = config["bootstrap.servers"].partition(":")
    (event,) = made(1)
    with Wire(host, int(port), kafka=True) as wire:
        wire.lose_the_answer_to([event.id])
        through = {**config, "bootstrap.servers": f"{wire.host}:{wire.port}", "enable.idempotence": False}
        producer = ck.Producer({**through, "log_level": 0, "reconnect.backoff.ms": 5})
        told: list[object] = []
        producer.produce(topic, event.to_bytes(), on_delivery=lambda error, _: told.append(error))
        assert producer.flush(30) == 0
        assert (told, wire.lost) == ([None], 1)
    consumer = kafka.Consumer(config, names.fresh("test"), [topic])
    assert [one.event.id for one in read_kafka(consumer, 2)] == [event.id, event.id]
    consumer.close()
