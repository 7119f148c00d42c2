"""Hands a notification to its provider, which is a mail server or a webhook. Every call ends in time.

The same notification always carries the same Message-ID (or Idempotency-Key), so a provider recognises a repeat.
"""

import asyncio
import contextlib
import re
import uuid
from base64 import encodebytes
from dataclasses import dataclass
from email.header import Header
from email.utils import formatdate
from typing import Protocol

import httpx
from aiosmtplib import SMTP, SMTPException, SMTPResponseException

from lakeproof_shop.services.notification.models import SENDER
from lakeproof_shop.services.notification.requests import SUBJECT_PATTERN
from lakeproof_shop.serving.limited_answer import AnswerTooLong, read_at_most

HOSTNAME = "notification.lakeproof"  # how the service calls itself to mail servers
CONNECTIONS = 8
CRLF = "\r\n"
MAX_LINE = 990  # a mail's line may have 998 bytes


@dataclass(frozen=True, slots=True)
class Delivery:
    """One notification as a provider needs it. `trace_id`: a plain token (services/traces.py), or "" for none."""

    notification_id: uuid.UUID
    to: str
    subject: str
    body: str
    topic: str
    trace_id: str = ""

    @property
    def message_id(self) -> str:
        """The Message-ID, which is the same at every try."""
        return f"<{self.notification_id}@notification.lakeproof>"


class ProviderFailed(Exception):
    """The notification was not delivered. `permanent`: no retry helps. `unclear`: the provider may have taken it all
    the same.
    """

    def __init__(self, reason: str, *, permanent: bool = False, unclear: bool = False) -> None:
        self.permanent, self.unclear = permanent, unclear
        super().__init__(reason)


class Provider(Protocol):
    """Delivers by one channel."""

    async def deliver(self, delivery: Delivery) -> None:
        """Return once the provider has taken it. Raises: ProviderFailed."""

    async def close(self) -> None:
        """Close the connections that are open."""


class MailProvider:
    """Delivers by SMTP, over connections that are kept for the next delivery."""

    def __init__(self, host: str, port: int, seconds: float, connections: int = CONNECTIONS) -> None:
        self._host, self._port, self._seconds = host, port, seconds
        self._turns = asyncio.Semaphore(connections)
        self._idle: list[SMTP] = []

    async def deliver(self, delivery: Delivery) -> None:
        """As Provider."""
        try:
            content = mail_of(delivery)
        except (ValueError, UnicodeError) as error:
            raise ProviderFailed(f"it cannot be written as a mail: {error}", permanent=True) from error
        smtp: SMTP | None = None
        late, begun = "all connections to the mail server were busy", False
        try:
            async with asyncio.timeout(self._seconds), self._turns:
                late = "the mail server did not answer in time"
                smtp = await self._at_recipient(delivery)
                begun = True
                await smtp.data(content)
                self._idle.append(smtp)
                smtp = None
        except TimeoutError as error:
            raise ProviderFailed(late, unclear=begun) from error
        except SMTPResponseException as error:
            # A code below 0 means that the answer could not be read, so nobody knows what it said.
            permanent, unclear = error.code >= 500, begun and error.code < 0
            raise ProviderFailed(
                f"{error.code} {error.message}"[:200], permanent=permanent, unclear=unclear
            ) from error
        except (SMTPException, OSError) as error:
            raise ProviderFailed(f"no mail server: {type(error).__name__}", unclear=begun) from error
        finally:
            if smtp is not None:  # its dialogue broke off, so the next delivery could not go on with it
                smtp.close()

    async def close(self) -> None:
        """As Provider."""
        while self._idle:
            self._idle.pop().close()

    async def _at_recipient(self, delivery: Delivery) -> SMTP:
        """A connection on which sender and recipient are accepted. A kept connection may have died meanwhile, and
        then a new one is made.
        """
        if self._idle:
            with contextlib.suppress(ConnectionError):
                return await self._say_envelope(self._idle.pop(), delivery)
        fresh = SMTP(
            hostname=self._host,
            port=self._port,
            local_hostname=HOSTNAME,
            timeout=self._seconds,
            use_tls=False,
            start_tls=False,  # None, the default, would change to TLS where the server offers it
        )
        await fresh.connect()
        return await self._say_envelope(fresh, delivery)

    @staticmethod
    async def _say_envelope(smtp: SMTP, delivery: Delivery) -> SMTP:
        try:
            await smtp.mail(SENDER)
            await smtp.rcpt(delivery.to)
        except BaseException:
            smtp.close()
            raise
        return smtp


def mail_of(delivery: Delivery) -> bytes:
    """The mail as bytes. It is put together here, because the library's own writer takes longer than the sending.

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
    """POST to one configured address. The recipient stands in the body, so no caller chooses the address."""

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
                    # Only the status counts. The body is read to its end so that the connection can be used again.
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
