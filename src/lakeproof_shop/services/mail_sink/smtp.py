"""SMTP: takes mail, and says 250 only after the mail is on the disk."""

import email
import logging
import uuid
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message as MailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from lakeproof_shop.services.mail_sink.account import Account
from lakeproof_shop.services.mail_sink.log import MessageLog, NotKept
from lakeproof_shop.services.mail_sink.messages import MAX_RECIPIENTS, Message, now

MAX_MAIL_BYTES = 256 * 1024
IDLE_SECONDS = 60

log = logging.getLogger(__name__)
# aiosmtpd logs each command of each connection: the addresses of customers, and six lines for each health question.
logging.getLogger("mail.log").setLevel(logging.WARNING)


class MailHandler:
    """aiosmtpd calls these methods. A mail without a Message-ID is never a repeat."""

    def __init__(self, messages: MessageLog, account: Account) -> None:
        self._messages, self._account = messages, account

    async def handle_RCPT(
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """At most 100 recipients, and none while the account is refused."""
        if self._account.refusal:
            return self._account.refusal
        if len(envelope.rcpt_tos) >= MAX_RECIPIENTS:
            return f"452 at most {MAX_RECIPIENTS} recipients"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:
        """Keep the mail, which has arrived in full. Only "250 …" acknowledges it."""
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        try:
            is_new = await self._messages.accept(read_mail(content, envelope.mail_from or "", envelope.rcpt_tos))
        except NotKept as error:
            log.error("mail not taken", extra={"reason": str(error)})
            return f"451 not taken: {error}"
        return "250 OK" if is_new else "250 OK, it was here before"


def read_mail(content: bytes, sender: str, to: list[str]) -> Message:
    """The parts of a mail that are kept. A part that cannot be read is empty; no content raises an error.

    The standard library's older parser is used, because the newer one takes several times as long as all the rest of
    a mail's way.
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


def make_smtp(messages: MessageLog, account: Account, hostname: str) -> SMTP:
    """The SMTP protocol of one connection."""
    return SMTP(
        MailHandler(messages, account),
        hostname=hostname,
        data_size_limit=MAX_MAIL_BYTES,
        enable_SMTPUTF8=True,
        timeout=IDLE_SECONDS,
        ident="Lakeproof mail sink",
    )
