"""Notification and its mailbox, over real SMTP. No broker is needed."""

import asyncio
import smtplib
import socket
import threading
from collections.abc import Iterator
from email.message import Message
from email.mime.text import MIMEText
from pathlib import Path
from typing import Any

import pytest
from shop_events import placed

from labkit.base import ports, wait
from labkit.shop import mailbox, serve
from labkit.shop.notification import Notification, Postman


class MailServer:
    """The lab's mail server in a thread of the test."""

    def __init__(self, port: int, path: Path) -> None:
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(port, path))
        self._thread.start()
        self._ready.wait(10)

    def _run(self, port: int, path: Path) -> None:
        server = self._loop.run_until_complete(mailbox.serve(serve.listen(port), path))
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):  # the open connections
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)


@pytest.fixture
def mail(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    port, path = ports.free(1)[0], tmp_path / "mails.jsonl"
    server = MailServer(port, path)
    yield port, path
    server.close()


def test_notification_sends_a_real_mail_that_can_be_read(mail: tuple[int, Path]) -> None:
    port, path = mail
    Notification(Postman(port).send).handle(placed(), "rabbitmq")
    (found,) = mailbox.read(path)
    assert (found.to, found.subject) == ("household-7@example.org", "Your order 42")
    assert "over 4.50" in found.text
    assert (found.order, found.event_id, found.via) == ("42", "42-placed", "rabbitmq")


def test_an_empty_mailbox_has_no_mails(tmp_path: Path) -> None:
    assert mailbox.read(tmp_path / "none.jsonl") == []


def test_a_mail_that_is_half_written_is_not_read_yet(mail: tuple[int, Path]) -> None:
    port, path = mail
    Notification(Postman(port).send).handle(placed())
    path.write_bytes(path.read_bytes() + b'{"at_ns": 1, "to"')
    assert len(mailbox.read(path)) == 1


def test_the_postman_connects_again_when_the_connection_has_broken(mail: tuple[int, Path]) -> None:
    port, path = mail
    postman = Postman(port)
    notification = Notification(postman.send)
    notification.handle(placed("1"))
    postman._mine.smtp.sock.shutdown(socket.SHUT_RDWR)
    notification.handle(placed("2"))
    assert [found.order for found in mailbox.read(path)] == ["1", "2"]


def test_without_a_mail_server_the_mail_is_an_error_and_not_a_silence() -> None:
    with pytest.raises((OSError, smtplib.SMTPException)):
        Postman(ports.free(1)[0]).send(MIMEText("lost?"))


def test_a_sent_mail_is_safe_before_the_sender_is_told(mail: tuple[int, Path]) -> None:
    port, path = mail
    send: Any = Postman(port).send
    message: Message = MIMEText("hello")
    message["From"], message["To"] = "a@example.org", "b@example.org"
    send(message)
    assert wait.until(lambda: mailbox.read(path), 0.001, "the mail is there")
