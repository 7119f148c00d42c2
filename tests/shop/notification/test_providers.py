"""Providers against a mail sink in this process, and against servers that are down, slow or rude."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx
import pytest
import uvicorn
from tests.doubles.ports import free_port

from lakeproof.stack.settings import ShopSettings
from lakeproof_shop.services.mail_sink.app import Place, create_app
from lakeproof_shop.services.mail_sink.smtp import read_mail
from lakeproof_shop.services.notification.providers import (
    Delivery,
    MailProvider,
    Provider,
    ProviderFailed,
    WebhookProvider,
    mail_of,
)

LONG_SECONDS = 30.0  # for what the sink answers after an fsync, which a busy disk may hold up

type Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def a_delivery(body: str = "Text", to: str = "a@example.org") -> Delivery:
    return Delivery(uuid.uuid4(), to, "Grüße", body, "order", "t-1")


class Sink:
    def __init__(self, smtp: int, http: int) -> None:
        self.smtp, self.http = smtp, http

    async def messages(self) -> list[dict[str, object]]:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.http}", trust_env=False) as client:
            found: list[dict[str, object]] = (await client.get("/messages")).json()["messages"]
            return found


@contextlib.asynccontextmanager
async def served(folder: Path, smtp: int, http: int) -> AsyncIterator[Sink]:
    config = uvicorn.Config(
        create_app(ShopSettings(), Place("127.0.0.1", smtp, folder)), host="127.0.0.1", port=http, log_config=None
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        assert not task.done(), "the sink did not start"
        await asyncio.sleep(0.01)
    try:
        yield Sink(smtp, http)
    finally:
        server.should_exit = True
        await task


@pytest.fixture
async def sink(tmp_path: Path) -> AsyncIterator[Sink]:
    async with served(tmp_path, free_port(), free_port()) as made:
        yield made


@contextlib.asynccontextmanager
async def rude(handler: Handler) -> AsyncIterator[int]:
    """A server that does as it likes, on a port of its own."""
    handled: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        handled.add(task)
        with contextlib.suppress(ConnectionError):
            await handler(reader, writer)
            writer.close()
            await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        if handled:
            await asyncio.wait(handled, timeout=5)


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


def saying(*answers: bytes) -> Handler:
    """Greets, then gives one answer to each line."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            writer.write(answer)
            await writer.drain()
            await reader.readline()

    return handle


async def failure_of(provider: Provider, delivery: Delivery) -> ProviderFailed:
    started = time.monotonic()
    try:
        with pytest.raises(ProviderFailed) as failed:
            await provider.deliver(delivery)
    finally:
        await provider.close()
    assert time.monotonic() - started < 20.0  # not for ever; a busy machine may be late
    return failed.value


async def test_a_mail_arrives_as_it_was_meant_and_a_repeat_is_one(sink: Sink) -> None:
    provider, delivery = MailProvider("127.0.0.1", sink.smtp, LONG_SECONDS), a_delivery("Grüße\n.\n..dots\nend")
    await provider.deliver(delivery)
    await provider.deliver(delivery)
    await provider.close()
    (found,) = await sink.messages()
    assert (found["to"], found["subject"], found["body"]) == (["a@example.org"], "Grüße", "Grüße\n.\n..dots\nend")
    assert (found["message_id"], found["repeats"], found["trace_id"]) == (delivery.message_id, 1, "t-1")


async def test_a_webhook_arrives_and_a_repeat_is_one(sink: Sink) -> None:
    provider, delivery = WebhookProvider(f"http://127.0.0.1:{sink.http}/webhook", LONG_SECONDS), a_delivery()
    await provider.deliver(delivery)
    await provider.deliver(delivery)
    await provider.close()
    (found,) = await sink.messages()
    assert (found["message_id"], found["repeats"], found["trace_id"]) == (str(delivery.notification_id), 1, "t-1")


async def test_forty_at_once_share_a_few_connections(sink: Sink) -> None:
    provider = MailProvider("127.0.0.1", sink.smtp, LONG_SECONDS, connections=4)
    await asyncio.gather(*(provider.deliver(a_delivery()) for _ in range(40)))
    await provider.close()
    assert len(await sink.messages()) == 40


async def test_a_kept_connection_that_died_is_replaced_and_nobody_notices(tmp_path: Path) -> None:
    smtp, http = free_port(), free_port()
    provider = MailProvider("127.0.0.1", smtp, LONG_SECONDS)
    async with served(tmp_path, smtp, http):
        await provider.deliver(a_delivery())
    async with served(tmp_path, smtp, http) as again:
        await provider.deliver(a_delivery())
        await provider.close()
        assert len(await again.messages()) == 2


async def test_a_server_that_is_down_is_a_failure_that_a_retry_may_mend() -> None:
    port = free_port()
    for provider in (MailProvider("127.0.0.1", port, 0.5), WebhookProvider(f"http://127.0.0.1:{port}/", 0.5)):
        failed = await failure_of(provider, a_delivery())
        assert (failed.permanent, failed.unclear) == (False, False)


async def test_a_silent_server_is_given_up_in_time() -> None:
    async with rude(silent) as port:
        failed = await failure_of(MailProvider("127.0.0.1", port, 0.4), a_delivery())
        assert "in time" in str(failed) and not failed.unclear
        failed = await failure_of(WebhookProvider(f"http://127.0.0.1:{port}/", 0.4), a_delivery())
        assert failed.unclear


@pytest.mark.parametrize("last", [(), (b"taken, I think\r\n" * 20,)], ids=["it is lost", "it cannot be read"])
async def test_without_an_answer_to_the_mail_itself_it_is_unclear(last: tuple[bytes, ...]) -> None:
    answers = (b"220 hi\r\n", b"250 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n")
    async with rude(saying(*answers, *last)) as port:
        failed = await failure_of(MailProvider("127.0.0.1", port, 1.0), a_delivery())
    assert failed.unclear and not failed.permanent


async def test_who_finds_all_connections_busy_was_not_delivered_for_certain(sink: Sink) -> None:
    provider = MailProvider("127.0.0.1", sink.smtp, 0.2, connections=1)
    async with provider._turns:
        failed = await failure_of(provider, a_delivery())
    assert "busy" in str(failed) and not failed.unclear
    assert await sink.messages() == []


async def test_a_delivery_that_is_cancelled_leaves_no_half_finished_connection_behind(sink: Sink) -> None:
    provider = MailProvider("127.0.0.1", sink.smtp, 5.0, connections=1)
    for pause in (0.0, 0.001, 0.003, 0.01):
        cancelled = asyncio.create_task(provider.deliver(a_delivery()))
        await asyncio.sleep(pause)
        cancelled.cancel()
        await asyncio.gather(cancelled, return_exceptions=True)
        last = a_delivery()
        await provider.deliver(last)
        assert last.message_id in {message["message_id"] for message in await sink.messages()}
    await provider.close()


@pytest.mark.parametrize(("answer", "permanent"), [(b"550 nobody here\r\n", True), (b"450 later\r\n", False)])
async def test_a_refused_recipient_is_final_only_where_the_server_says_so(answer: bytes, permanent: bool) -> None:
    async with rude(saying(b"220 hi\r\n", b"250 hi\r\n", b"250 ok\r\n", answer)) as port:
        failed = await failure_of(MailProvider("127.0.0.1", port, 1.0), a_delivery())
    assert (failed.permanent, failed.unclear) == (permanent, False)
    assert str(failed).startswith(answer[:3].decode())


@pytest.mark.parametrize(("status", "permanent"), [(400, True), (404, True), (302, True), (429, False), (503, False)])
async def test_a_webhooks_status_tells_whether_a_retry_helps(status: int, permanent: bool) -> None:
    text = f"HTTP/1.1 {status} x\r\ncontent-length: 0\r\nlocation: http://127.0.0.1:1/\r\nconnection: close\r\n\r\n"
    async with rude(saying(text.encode())) as port:
        failed = await failure_of(WebhookProvider(f"http://127.0.0.1:{port}/", 1.0), a_delivery())
    assert (failed.permanent, str(failed)) == (permanent, f"answered {status}")


@pytest.mark.parametrize(
    "body", ["", "one", "one\n\nthree", "Grüße\n" * 100, "x" * 5_000, ".\n..\n", "tab\tand \x7f", "a\rb\x0bc\u2028d"]
)
@pytest.mark.parametrize(
    "subject",
    # The last three hold what Python calls unprintable: a no-break space, a joined emoji, a private character.
    ["Your order", "Grüße " * 30, "=?utf-8?b?x?=", "100\u00a0000 ₫", "\U0001f468\u200d\U0001f467", "\ue000"],
)
def test_a_mail_is_read_as_it_was_written(body: str, subject: str) -> None:
    written = mail_of(Delivery(uuid.uuid4(), "a@example.org", subject, body, "order"))
    assert all(len(line) <= 998 for line in written.split(b"\r\n"))
    read = read_mail(written, "s@x", ["a@example.org"])
    assert read.subject.strip() == subject.strip()
    assert read.body.replace("\r", "\n") == body.replace("\r", "\n").rstrip("\n")


@pytest.mark.parametrize(("to", "subject"), [("a@b.org\nBcc: c@d.org", "s"), ("a@b.org", "s\r\nBcc: c@d.org")])
def test_a_line_that_would_break_the_head_is_never_sent(to: str, subject: str) -> None:
    with pytest.raises(ValueError, match="control character"):
        mail_of(Delivery(uuid.uuid4(), to, subject, "Text", "order"))


def test_nothing_of_a_mails_text_becomes_a_header() -> None:
    content = mail_of(a_delivery("Bcc: victim@example.org\n\nText"))
    head, _, _ = content.partition(b"\r\n\r\n")
    assert b"Bcc" not in head
