"""What a shopper understands of an answer; and an open loop that goes on without any."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from lakeproof.deadline import Deadline
from lakeproof.errors import InvalidInput
from lakeproof_shop.customers.ledger import read_ledgers
from lakeproof_shop.customers.shoppers.desk import ServiceDesk
from lakeproof_shop.customers.shoppers.handle import TrafficHandle
from lakeproof_shop.customers.shoppers.plan import Basket
from lakeproof_shop.customers.shoppers.storefront import Storefront, Word, _read
from lakeproof_shop.customers.shoppers.traffic import SETTLE_LIMIT_SECONDS, Traffic
from lakeproof_shop.services.order.models import Op, Order

AT = "2026-11-24T14:43:53.042722Z"
ORDER = Order(7, "k1", 42, "created", "12.30", 1, 1, AT, AT, ())
NOT_DONE = b'{"error": {"code": "busy"}, "outcome": "not_done"}'


@pytest.mark.parametrize(
    ("status", "body", "word"),
    [
        (503, b'{"error": {"code": "unclear"}, "outcome": "unclear"}', Word.UNCLEAR),
        (503, b'{"error": {"code": "busy"}, "outcome": "not_done"}', Word.UNAVAILABLE),
        (409, b'{"error": {"code": "not_allowed"}, "outcome": "not_done"}', Word.REFUSED),
        (500, b'{"error": {"code": "internal_error"}, "outcome": "unclear"}', Word.UNCLEAR),
        (502, b"<html>Bad gateway</html>", Word.UNCLEAR),
        (404, b"<html>Not found</html>", Word.REFUSED),
        (200, b"<html>Welcome</html>", Word.UNCLEAR),
        (200, b'{"id": 3}', Word.UNCLEAR),
        (200, b'{"orders": []}', Word.OK),
        (200, b'{"id": 3, "version": 4, "deleted": true}', Word.OK),
    ],
)
def test_only_a_clear_word_counts(status: int, body: bytes, word: Word) -> None:
    assert _read(status, body).word is word


async def test_a_refused_connection_was_not_sent_and_a_lost_one_is_unclear() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with Storefront(f"http://127.0.0.1:{port}", call_seconds=2.0) as front:
        lost = await front.create("k", 1, Basket((("s", 1, "1.00"),)))
        server.close()
        await server.wait_closed()
        refused = await front.create("k", 1, Basket((("s", 1, "1.00"),)))
    assert (lost.word, refused.word) == (Word.UNCLEAR, Word.UNAVAILABLE)


@asynccontextmanager
async def a_service_killed_in_the_first_call(
    then: bytes | None, *, resets: bool = False
) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Its URL, and the methods of the calls that reached it. It takes the first call and dies without an answer.
    then: what it answers, with 503, to whoever calls afterwards; None: nothing listens there any more.
    resets: whether its kernel resets the connection of the first call, instead of closing it.
    """
    called: list[bytes] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        called.append((await reader.readuntil(b"\r\n\r\n")).split()[0])
        if len(called) > 1 and then is not None:
            writer.write(b"HTTP/1.1 503 Busy\r\nContent-Length: %d\r\n\r\n%s" % (len(then), then))
            await writer.drain()
        elif then is None:
            server.close()
        if resets and len(called) == 1:
            connection = writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", called


async def deleted(url: str) -> Word:
    async with Storefront(url, call_seconds=2.0) as front:
        return (await front.change(Op.DELETE, ORDER, "k1:delete", None)).word


async def opted_out(url: str) -> Word:
    async with ServiceDesk(url, url, url, call_seconds=2.0) as desk:
        return (await desk.prefer("k1", 42, ("order/email",))).word


@pytest.mark.parametrize("call", [deleted, opted_out])
@pytest.mark.parametrize("then", [None, NOT_DONE], ids=["refuses connections", "is back and busy"])
@pytest.mark.parametrize("resets", [False, True], ids=["closed", "reset"])
async def test_a_change_whose_service_died_in_it_is_sent_once_and_unclear(
    call: Callable[[str], Awaitable[Word]], then: bytes | None, resets: bool
) -> None:
    """aiohttp sends DELETE and PUT a second time by itself. What became of the second one was once written to the
    ledger as "not done", so that `check` called the deleted order lost.
    """
    async with a_service_killed_in_the_first_call(then, resets=resets) as (url, called):
        assert await call(url) is Word.UNCLEAR
        assert len(called) == 1


async def test_a_read_whose_service_died_in_it_is_asked_again() -> None:
    """A read changes nothing, and a connection that its service closed while idle is no reason to miss an answer."""
    async with a_service_killed_in_the_first_call(NOT_DONE) as (url, called):
        async with Storefront(url, call_seconds=2.0) as front:
            read = await front.read("k1")
        assert (read.reason, called) == ("503 busy", [b"GET", b"GET"])


def test_the_loop_goes_on_asking_a_shop_that_does_not_answer(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=1000) as silent_shop:  # the kernel takes calls, nobody reads
        url = f"http://127.0.0.1:{silent_shop.getsockname()[1]}"
        handle = TrafficHandle(
            Traffic(lambda: Storefront(url, call_seconds=0.4), tmp_path, rate=300, seed=1, run="r", call_seconds=0.4)
        )
        try:
            Deadline(60).wait_for(
                "80 calls sent, none answered", lambda: True if handle.counts().sent >= 80 else None, every=0.05
            )
        finally:
            settled_in = Deadline(SETTLE_LIMIT_SECONDS)
            report = handle.stop(settle_seconds=0.1)
    assert settled_in.elapsed < SETTLE_LIMIT_SECONDS / 2  # the usual limit, which a shop like this one uses up
    assert (report.counts.acknowledged, report.counts.unclear) == (0, report.counts.open_calls)
    assert read_ledgers(tmp_path).unclear == report.counts.open_calls > 0


@pytest.mark.parametrize(("rate", "run"), [(0.0, "r"), (1e9, "r"), (10.0, "a/b"), (10.0, "x" * 50)])
def test_a_rate_or_a_run_that_cannot_be_is_refused(tmp_path: Path, rate: float, run: str) -> None:
    with pytest.raises(InvalidInput):
        Traffic(
            lambda: Storefront("http://127.0.0.1:1", call_seconds=1),
            tmp_path,
            rate=rate,
            seed=1,
            run=run,
            call_seconds=1,
        )
