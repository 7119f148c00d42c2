"""SMTP: takes mail, keeps it, and says 250 only once it is on the disk."""

import email
import logging
import uuid
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message as MailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from lakeproof.shop.mail_sink.log import MessageLog, SinkFull
from lakeproof.shop.mail_sink.messages import MAX_RECIPIENTS, Message, now

MAX_MAIL_BYTES = 256 * 1024
IDLE_SECONDS = 60

log = logging.getLogger(__name__)


class MailHandler:
    """What aiosmtpd calls. A mail without a Message-ID is one of its own each time."""

    def __init__(self, messages: MessageLog) -> None:
        self._messages = messages

    async def handle_RCPT(
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """At most 100 recipients."""
        if len(envelope.rcpt_tos) >= MAX_RECIPIENTS:
            return f"452 at most {MAX_RECIPIENTS} recipients"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:
        """The whole mail has arrived."""
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        try:
            is_new = await self._messages.accept(read_mail(content, envelope.mail_from or "", envelope.rcpt_tos))
        except (OSError, SinkFull) as error:
            log.error("mail not taken", extra={"reason": str(error)})
            return f"451 not taken: {error}"
        return "250 OK" if is_new else "250 OK, it was here before"


def read_mail(content: bytes, sender: str, to: list[str]) -> Message:
    """The parts of a mail that are kept. What cannot be read is empty; never an error.

    By the library's older parser: the newer one costs several times as much as all the rest of a mail.
    """
    mail = email.message_from_bytes(content)
    message_id = _header(mail, "Message-ID") or f"<{uuid.uuid4().hex}@mail-sink>"
    body = next((_text(part) for part in mail.walk() if part.get_content_maintype() == "text"), "")
    trace = _header(mail, "X-Trace-Id")
    return Message(
        "email", message_id[:998], sender, tuple(to), _header(mail, "Subject"), body, now(), trace_id=trace
    )


def _header(mail: MailMessage, name: str) -> str:
    value = str(mail.get(name, "")).strip()
    try:
        return str(make_header(decode_header(value))) if "=?" in value else value
    except (ValueError, LookupError, HeaderParseError):
        return value


def _text(part: MailMessage) -> str:
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        return ""
    try:
        text = content.decode(str(part.get_content_charset() or "utf-8"), errors="replace")
    except LookupError:
        text = content.decode(errors="replace")
    return text.replace("\r\n", "\n").rstrip("\n")


def make_smtp(messages: MessageLog, hostname: str) -> SMTP:
    """One connection's protocol."""
    return SMTP(
        MailHandler(messages),
        hostname=hostname,
        data_size_limit=MAX_MAIL_BYTES,
        enable_SMTPUTF8=True,
        timeout=IDLE_SECONDS,
        ident="Lakeproof mail sink",
    )
