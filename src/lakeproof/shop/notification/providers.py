"""Handing a notification to who delivers it: a mail server, or a webhook. Every call ends.

The same notification always carries the same Message-ID (or Idempotency-Key), so a provider recognises a repeat.
"""

import asyncio
import contextlib
import re
import smtplib
import uuid
from base64 import encodebytes
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.header import Header
from email.utils import formatdate
from typing import Protocol

import httpx

from lakeproof.deadline import Deadline
from lakeproof.services.limited_answer import AnswerTooLong, read_at_most
from lakeproof.shop.notification.requests import SUBJECT_PATTERN

SENDER = "shop@lakeproof.example"
CONNECTIONS = 8
CRLF = "\r\n"
MAX_LINE = 990  # a mail's line may have 998 bytes


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a provider needs to know. `trace_id`: a plain token (services/traces.py), or "" for none."""

    notification_id: uuid.UUID
    to: str
    subject: str
    body: str
    topic: str
    trace_id: str = ""

    @property
    def message_id(self) -> str:
        """The same at every try."""
        return f"<{self.notification_id}@notification.lakeproof>"


class ProviderFailed(Exception):
    """It was not delivered. `permanent`: no retry helps. `unclear`: it may have been taken all the same."""

    def __init__(self, reason: str, *, permanent: bool = False, unclear: bool = False) -> None:
        self.permanent, self.unclear = permanent, unclear
        super().__init__(reason)


class Provider(Protocol):
    """Delivers by one channel."""

    async def deliver(self, delivery: Delivery) -> None:
        """Return once the provider has taken it. Raises: ProviderFailed."""

    async def close(self) -> None:
        """Close what is open."""


class MailProvider:
    """SMTP over connections that are kept. smtplib waits in threads, each time at most to the delivery's deadline."""

    def __init__(self, host: str, port: int, seconds: float, connections: int = CONNECTIONS) -> None:
        self._host, self._port, self._seconds = host, port, seconds
        self._threads = ThreadPoolExecutor(connections, thread_name_prefix="smtp")
        self._idle: list[smtplib.SMTP] = []

    async def deliver(self, delivery: Delivery) -> None:
        """As Provider."""
        deadline = Deadline(self._seconds)
        work = asyncio.get_running_loop().run_in_executor(self._threads, self._deliver, delivery, deadline)
        try:
            async with asyncio.timeout(self._seconds + 0.5):
                await asyncio.shield(work)
        except TimeoutError:
            work.add_done_callback(lambda done: done.cancelled() or done.exception())
            raise ProviderFailed(f"no answer within {self._seconds:g} s", unclear=True) from None

    async def close(self) -> None:
        """As Provider; deliveries under way are given up."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        while self._idle:
            self._idle.pop().close()

    def _deliver(self, delivery: Delivery, deadline: Deadline) -> None:
        if deadline.expired:
            raise ProviderFailed("all connections to the mail server were busy")
        try:
            content = mail_of(delivery)
        except (ValueError, UnicodeError) as error:
            raise ProviderFailed(f"it cannot be written as a mail: {error}", permanent=True) from error
        begun = False
        smtp: smtplib.SMTP | None = None
        try:
            smtp = self._at_recipient(delivery, deadline)
            self._within(smtp, deadline)
            begun = True
            _require(smtp.data(content))
        except (smtplib.SMTPException, OSError) as error:
            if smtp is not None:
                smtp.close()
            raise _named(error, unclear=begun) from error
        self._idle.append(smtp)

    def _at_recipient(self, delivery: Delivery, deadline: Deadline) -> smtplib.SMTP:
        """A connection at which the mail's envelope is said. A kept one may have died meanwhile: then a new one."""
        smtp = self._idle.pop() if self._idle else None
        if smtp is not None:
            try:
                return self._say_envelope(smtp, delivery, deadline)
            except (smtplib.SMTPServerDisconnected, ConnectionError):
                smtp.close()
        fresh = smtplib.SMTP(timeout=max(0.05, deadline.left))
        try:
            fresh.connect(self._host, self._port)
            fresh.ehlo("notification.lakeproof")
            return self._say_envelope(fresh, delivery, deadline)
        except BaseException:
            fresh.close()
            raise

    def _say_envelope(self, smtp: smtplib.SMTP, delivery: Delivery, deadline: Deadline) -> smtplib.SMTP:
        self._within(smtp, deadline)
        _require(smtp.mail(SENDER))
        self._within(smtp, deadline)
        _require(smtp.rcpt(delivery.to))
        return smtp

    @staticmethod
    def _within(smtp: smtplib.SMTP, deadline: Deadline) -> None:
        if smtp.sock is not None:
            smtp.sock.settimeout(max(0.05, deadline.left))


def _require(answer: tuple[int, bytes]) -> None:
    code, text = answer
    if code not in (250, 251):
        raise smtplib.SMTPResponseException(code, text)


def _named(error: Exception, *, unclear: bool) -> ProviderFailed:
    if isinstance(error, smtplib.SMTPResponseException):
        text = error.smtp_error.decode(errors="replace") if isinstance(error.smtp_error, bytes) else error.smtp_error
        return ProviderFailed(f"{error.smtp_code} {text}"[:200], permanent=error.smtp_code >= 500)
    if isinstance(error, TimeoutError) or "timed out" in str(error):  # smtplib calls both a disconnection
        return ProviderFailed("the mail server did not answer in time", unclear=unclear)
    return ProviderFailed(f"no mail server: {type(error).__name__}", unclear=unclear)


def mail_of(delivery: Delivery) -> bytes:
    """The mail as it travels; written by hand, because the library's own writer costs more than sending it.

    Raises: ValueError where the address or the subject would break out of its line.
    """
    if not (delivery.to.isascii() and delivery.to.isprintable() and re.fullmatch(SUBJECT_PATTERN, delivery.subject)):
        raise ValueError("a control character in its head")
    subject = delivery.subject
    if not subject.isascii() or "=?" in subject:
        subject = Header(subject, "utf-8").encode(linesep=CRLF)
    lines = delivery.body.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if delivery.body.isascii() and all(len(line) <= MAX_LINE for line in lines):
        encoding, body = "7bit", CRLF.join([*lines, ""]).encode()
    else:
        encoding, body = "base64", encodebytes(delivery.body.encode()).replace(b"\n", b"\r\n")
    head = (
        f"From: {SENDER}",
        f"To: {delivery.to}",
        f"Subject: {subject}",
        f"Date: {formatdate()}",
        f"Message-ID: {delivery.message_id}",
        f"X-Topic: {delivery.topic}",
        *([f"X-Trace-Id: {delivery.trace_id}"] if delivery.trace_id else []),
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Transfer-Encoding: {encoding}",
        "",
        "",
    )
    return CRLF.join(head).encode() + body


class WebhookProvider:
    """POST to one address; who it is for stands in the body, so no caller chooses what is called."""

    def __init__(self, url: str, seconds: float) -> None:
        self._url, self._seconds = url, seconds
        limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
        self._client = httpx.AsyncClient(
            timeout=seconds, trust_env=False, limits=limits, verify=url.startswith("https")
        )

    async def deliver(self, delivery: Delivery) -> None:
        """As Provider."""
        body = {"to": delivery.to, "subject": delivery.subject, "body": delivery.body, "topic": delivery.topic}
        headers = {"idempotency-key": str(delivery.notification_id), "x-trace-id": delivery.trace_id}
        try:
            async with asyncio.timeout(self._seconds):
                async with self._client.stream("POST", self._url, json=body, headers=headers) as answer:
                    # Only the status counts; what is read to its end leaves the connection for the next one.
                    with contextlib.suppress(AnswerTooLong):
                        await read_at_most(answer.aiter_raw())
        except (TimeoutError, httpx.ReadTimeout) as error:
            raise ProviderFailed(f"no answer within {self._seconds:g} s", unclear=True) from error
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise ProviderFailed(f"no webhook: {type(error).__name__}") from error
        except httpx.HTTPError as error:
            raise ProviderFailed(f"no webhook: {type(error).__name__}", unclear=True) from error
        if not answer.is_success:
            again = answer.status_code in (408, 425, 429) or answer.status_code >= 500
            raise ProviderFailed(f"answered {answer.status_code}", permanent=not again)

    async def close(self) -> None:
        """As Provider."""
        await self._client.aclose()
