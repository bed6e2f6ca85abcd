"""A mail server of the lab's own: it takes every mail by SMTP, keeps it in one file, and delivers none."""

import asyncio
import json
import os
import socket
from dataclasses import asdict, dataclass
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

from labkit.events.trace import now_ns


@dataclass(frozen=True)
class Mail:
    """A mail that arrived. at_ns: when, by `now_ns`. order, event_id, via: from the headers that the shop writes."""

    at_ns: int
    to: str
    subject: str
    text: str
    order: str = ""
    event_id: str = ""
    via: str = ""


class _Keeper:
    """aiosmtpd calls it for each mail. "250" is only said when the mail is in the file."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802  aiosmtpd's name
        mail = _parse(envelope.content, envelope.rcpt_tos)
        os.write(self._fd, json.dumps(asdict(mail)).encode() + b"\n")
        return "250 Message accepted"


async def serve(sock: socket.socket, path: Path) -> asyncio.Server:
    """Take mail on `sock` from now on, one JSON line a mail in `path`."""
    from aiosmtpd.smtp import SMTP

    keeper = _Keeper(path)
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: SMTP(keeper, hostname="localhost", loop=loop), sock=sock)


def read(path: Path) -> list[Mail]:
    """All mails so far, in the order of their arrival. No file, no mail."""
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    return [Mail(**json.loads(line)) for line in lines[:-1]]  # what follows the last newline is not whole yet


def _parse(content: bytes, to: list[str]) -> Mail:
    message = message_from_bytes(content, policy=policy.compat32)  # the quick policy: 100 mails a second come by
    body = message.get_payload(decode=True)
    return Mail(
        at_ns=now_ns(),
        to=", ".join(to),
        subject=str(message["Subject"] or ""),
        text=body.decode(errors="replace") if isinstance(body, bytes) else "",
        order=str(message["X-Order"] or ""),
        event_id=str(message["X-Event"] or ""),
        via=str(message["X-Via"] or ""),
    )
