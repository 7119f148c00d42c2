"""A request's head over a real socket: one that never ends, and one that grows without end."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
import uvicorn
from fastapi import FastAPI

from lakeproof.shop import bounded_head
from lakeproof.shop.bounded_head import BoundedHead

type Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def address() -> AsyncIterator[tuple[str, int]]:
    app = FastAPI()

    @app.post("/")
    async def take() -> str:
        return "taken"

    server = uvicorn.Server(uvicorn.Config(app, http=BoundedHead, log_config=None, lifespan="off"))
    listening = socket.create_server(("127.0.0.1", 0))
    serving = asyncio.create_task(server.serve([listening]))
    yield listening.getsockname()
    server.should_exit = True
    await serving


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
    for number in range(100):
        writer.write(b"x-%d: " % number + b"y" * 1000 + b"\r\n")
    assert await status(reader) == b"HTTP/1.1 431 Request Header Fields Too Large"
    writer.close()


@pytest.mark.parametrize("sent", [b"", REQUEST], ids=["nothing", "headers without an end"])
async def test_a_head_that_does_not_come_closes_the_connection(
    address: tuple[str, int], sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded_head, "HEAD_SECONDS", 0.3)
    reader, writer = await asyncio.open_connection(*address)
    writer.write(sent)
    assert await status(reader) == b""
    writer.close()
