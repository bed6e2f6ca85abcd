"""Notification: thanks the customer by mail."""

import smtplib
import threading
from collections.abc import Callable
from email.message import Message
from email.mime.text import MIMEText

from labkit.events.event import Event

SENDER = "shop@example.org"


class Notification:
    """Writes one mail for each order it is handed. send: takes the mail to a mail server (`Postman.send`)."""

    handles = ("OrderPlaced",)

    def __init__(self, send: Callable[[Message], None]) -> None:
        self.send = send

    def handle(self, event: Event, via: str = "") -> str:
        """Send the mail; what was done, in words. via: the way the order came."""
        euros = int(event.data.get("total_cents", 0)) / 100
        # MIMEText costs a sixth of EmailMessage, and the mail is plain.
        mail = MIMEText(f"Thank you! We have your order {event.subject} over {euros:.2f}.\n")
        mail["From"] = SENDER
        mail["To"] = f"household-{event.data.get('household', 'unknown')}@example.org"
        mail["Subject"] = f"Your order {event.subject}"
        mail["X-Order"], mail["X-Event"], mail["X-Via"] = event.subject, event.id, via
        self.send(mail)
        return f"mail to {mail['To']}"


class Postman:
    """SMTP connections, one a thread, that are kept between mails, and made anew when they have broken."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self._host, self._port = host, port
        self._mine = threading.local()

    def send(self, mail: Message) -> None:
        """Hand the mail over; when this returns, the server has it. Raises smtplib.SMTPException or OSError."""
        smtp: smtplib.SMTP | None = getattr(self._mine, "smtp", None)
        if smtp is not None:
            try:
                smtp.send_message(mail)
                return
            except (smtplib.SMTPServerDisconnected, ConnectionError):
                smtp.close()  # the server has been restarted since the last mail; try once more
        # The name is given, or smtplib asks the network for ours, which can take seconds.
        self._mine.smtp = smtplib.SMTP(self._host, self._port, local_hostname="localhost", timeout=5)
        self._mine.smtp.send_message(mail)
