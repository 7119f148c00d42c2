"""Over a real socket: a head that never ends, one that grows without end, and a caller who does not read."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI, Response
from fastapi.responses import StreamingResponse

from lakeproof.metrics import RequestMetrics
from lakeproof_shop.serving import bounded_connection
from lakeproof_shop.serving.bounded_connection import BoundedConnection
from lakeproof_shop.serving.gate import Gate

type Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[tuple[tuple[str, int], uvicorn.Server]]:
    server = uvicorn.Server(uvicorn.Config(app, http=BoundedConnection, log_config=None, lifespan="off"))
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)  # so that a large head may come in one piece
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    serving = asyncio.create_task(server.serve([listening]))
    try:
        yield listening.getsockname(), server
    finally:
        server.should_exit = True
        await serving


@pytest.fixture
async def serving() -> AsyncIterator[tuple[tuple[str, int], uvicorn.Server]]:
    app = FastAPI()

    @app.post("/")
    async def take() -> str:
        return "taken"

    async with served(app) as serving:
        yield serving


@pytest.fixture
def address(serving: tuple[tuple[str, int], uvicorn.Server]) -> tuple[str, int]:
    return serving[0]


@asynccontextmanager
async def taken_in_one_piece(server: uvicorn.Server) -> AsyncIterator[None]:
    """What is sent meanwhile waits in the kernel, and the server's next look takes it all (up to 256 KiB)."""
    [connection] = server.server_state.connections
    connection.transport.pause_reading()
    yield
    await asyncio.sleep(0.2)
    connection.transport.resume_reading()


async def status(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(10):
        return (await reader.readline()).strip()


REQUEST = b"POST / HTTP/1.1\r\nhost: shop\r\ncontent-length: 0\r\n"


async def test_one_request_after_another_is_answered(address: tuple[str, int]) -> None:
    reader, writer = await asyncio.open_connection(*address)
    for _ in range(3):
        writer.write(REQUEST + b"x: " + b"y" * 30_000 + b"\r\n\r\n")
        assert await status(reader) == b"HTTP/1.1 200 OK"
        await reader.readuntil(b'"taken"')
    writer.close()


@pytest.mark.parametrize("before", [b"", REQUEST + b"\r\n"], ids=["the first", "the second of a connection"])
async def test_headers_that_grow_without_end_are_refused(address: tuple[str, int], before: bytes) -> None:
    reader, writer = await asyncio.open_connection(*address)
    if before:
        writer.write(before)
        await reader.readuntil(b'"taken"')
    writer.write(REQUEST)
    answer = asyncio.create_task(status(reader))
    for number in range(1000):
        if answer.done():
            break
        writer.write(b"x-%d: " % number + b"y" * 1000 + b"\r\n")
        await asyncio.sleep(0.001)  # the server, which runs in the same loop, reads meanwhile
    assert await answer == b"HTTP/1.1 431 Request Header Fields Too Large"
    writer.close()


async def a_used_connection(address: tuple[str, int]) -> Connection:
    reader, writer = await asyncio.open_connection(*address)
    writer.write(REQUEST + b"\r\n")
    await reader.readuntil(b'"taken"')
    return reader, writer


LARGE_HEAD = REQUEST + b"".join(b"x-%d: " % number + b"y" * 1000 + b"\r\n" for number in range(100))


async def test_a_large_head_in_one_piece_is_refused_on_a_connection_that_was_used(
    serving: tuple[tuple[str, int], uvicorn.Server],
) -> None:
    reader, writer = await a_used_connection(serving[0])
    async with taken_in_one_piece(serving[1]):
        writer.write(LARGE_HEAD)
    assert await status(reader) == b"HTTP/1.1 431 Request Header Fields Too Large"
    writer.close()


async def test_small_requests_in_one_large_piece_are_all_answered(
    serving: tuple[tuple[str, int], uvicorn.Server],
) -> None:
    """Together far more than one head may hold, with the beginning of a further request at the end."""
    reader, writer = await a_used_connection(serving[0])
    async with taken_in_one_piece(serving[1]):
        writer.write((REQUEST + b"x: " + b"y" * 1000 + b"\r\n\r\n") * 100 + REQUEST)
    for _ in range(100):
        assert await status(reader) == b"HTTP/1.1 200 OK"
        await reader.readuntil(b'"taken"')
    writer.write(b"\r\n")
    assert await status(reader) == b"HTTP/1.1 200 OK"
    writer.close()


@pytest.mark.parametrize("sent", [b"", REQUEST], ids=["nothing", "headers without an end"])
async def test_a_head_that_does_not_come_closes_the_connection(
    address: tuple[str, int], sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded_connection, "HEAD_SECONDS", 0.3)
    reader, writer = await asyncio.open_connection(*address)
    writer.write(sent)
    assert await status(reader) == b""
    writer.close()


async def test_line_ends_after_a_request_do_not_keep_the_connection(
    address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded_connection, "HEAD_SECONDS", 0.3)
    reader, writer = await asyncio.open_connection(*address)
    writer.write(REQUEST + b"\r\n")
    await reader.readuntil(b'"taken"')
    writer.write(b"\r\n")
    assert await status(reader) == b""
    writer.close()


async def test_a_caller_who_does_not_read_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer is larger than what the kernel takes for a caller who reads nothing, and the caller stays."""
    monkeypatch.setattr(bounded_connection, "SEND_SECONDS", 0.3)
    metrics, app = RequestMetrics(), FastAPI()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0)  # once cut off, nothing else waits in here
            yield b"x" * 1_000_000

    @app.get("/file")
    async def file() -> Response:
        return StreamingResponse(endless())

    gate = Gate(app, metrics=metrics, max_body_bytes=100, body_seconds=5.0, max_under_way=10)
    async with served(gate) as (address, server):
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"GET /file HTTP/1.1\r\nhost: shop\r\n\r\n")
        assert await status(reader) == b"HTTP/1.1 200 OK"
        async with asyncio.timeout(10):
            while server.server_state.connections:
                await asyncio.sleep(0.02)
            while metrics.registry.get_sample_value("shop_http_requests_under_way") != 0:
                await asyncio.sleep(0.02)
        writer.close()
