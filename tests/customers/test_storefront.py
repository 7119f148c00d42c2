"""What a shopper understands of an answer; and an open loop that goes on without any."""

import asyncio
import socket
from pathlib import Path

import pytest

from lakeproof.customers.ledger import read_ledgers
from lakeproof.customers.shoppers.handle import TrafficHandle
from lakeproof.customers.shoppers.plan import Basket
from lakeproof.customers.shoppers.storefront import Storefront, Word, _read
from lakeproof.customers.shoppers.traffic import SETTLE_LIMIT_SECONDS, Traffic
from lakeproof.deadline import Deadline
from lakeproof.errors import InvalidInput


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
