"""Services that answer with 50 MB: whoever asks them reads a part, hangs up, and goes on as without an answer."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator

import pytest

from lakeproof.deadline import Deadline
from lakeproof_shop.services.checkout.services import NoClearWord, Services
from lakeproof_shop.services.notification.customers import Customers, NobodyAnswers
from lakeproof_shop.services.notification.providers import Delivery, WebhookProvider
from lakeproof_shop.services.support.metrics import SupportMetrics
from lakeproof_shop.services.support.sources import SERVICES, Sources
from lakeproof_shop.services.support.timeline import SourceState
from lakeproof_shop.serving.limited_answer import MAX_ANSWER_BYTES, AnswerTooLong, read_at_most

ANSWER_BYTES = 50_000_000
PIECE = b" " * 100_000
# What lies in the buffers of both ends when the reader hangs up comes on top of what it reads.
READ_AT_MOST = MAX_ANSWER_BYTES + 20_000_000


class Flood:
    """A service at `url` that answers every request with 50 MB of JSON; `sent`: how much it got rid of."""

    def __init__(self) -> None:
        self.sent, self.url = 0, ""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n")
            writer.write(f"content-length: {ANSWER_BYTES}\r\n\r\n".encode())
            while self.sent < ANSWER_BYTES - 2:
                writer.write(PIECE)
                await writer.drain()
                self.sent += len(PIECE)
        writer.close()


@pytest.fixture
async def flood() -> AsyncIterator[Flood]:
    made = Flood()
    server = await asyncio.start_server(made.answer, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield made


async def test_a_checkout_takes_too_long_an_answer_for_no_clear_word(flood: Flood) -> None:
    async with Services({"payment-service": flood.url}, call_seconds=10.0) as services:
        with pytest.raises(NoClearWord, match="more than"):
            await services.until(Deadline(10)).post("payment-service", "/payments", "key")
    assert flood.sent < READ_AT_MOST


async def test_an_order_service_that_says_too_much_names_no_customer(flood: Flood) -> None:
    customers = Customers(flood.url, 10.0)
    with pytest.raises(NobodyAnswers, match="AnswerTooLong"):
        await customers.of_order(17)
    await customers.close()
    assert flood.sent < READ_AT_MOST


async def test_a_webhook_that_says_yes_and_much_more_has_taken_it(flood: Flood) -> None:
    webhook = WebhookProvider(flood.url, 10.0)
    await webhook.deliver(Delivery(uuid.uuid4(), "a@example.org", "Subject", "Text", "order"))
    await webhook.close()
    assert flood.sent < READ_AT_MOST


async def test_a_timeline_lacks_a_source_that_says_too_much(flood: Flood) -> None:
    urls = {service.name: "" for service in SERVICES} | {"payment": flood.url}
    async with Sources(urls, 10.0, SupportMetrics()) as sources:
        told = await sources.collect(17)
    assert told.sources["payment"].state is SourceState.MISSING
    assert "more than" in told.sources["payment"].why
    assert flood.sent < READ_AT_MOST


@pytest.mark.parametrize(("size", "fits"), [(0, True), (10, True), (11, False)])
async def test_an_answer_fits_to_its_last_byte(size: int, fits: bool) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(size):
            yield b"x"

    with contextlib.nullcontext() if fits else pytest.raises(AnswerTooLong):
        assert await read_at_most(pieces(), 10) == b"x" * size
