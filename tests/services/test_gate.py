"""The gate's limits on bodies: one for all routes, another for those that are named."""

import asyncio
import re
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI, Request, Response

from lakeproof.metrics import RequestMetrics
from lakeproof.stack.settings import ShopSettings
from lakeproof_shop.serving.crash import RequestCrash
from lakeproof_shop.serving.gate import Gate, RouteLimit


def an_app(body_seconds: float = 5.0) -> FastAPI:
    app = FastAPI()

    @app.post("/{path:path}")
    async def take(request: Request) -> Response:
        seen = 0
        async for chunk in request.stream():
            seen += len(chunk)
        return Response(str(seen))

    large = RouteLimit("POST", re.compile(r"/cases/\d+/files"), 1000, 60.0)
    app.add_middleware(
        Gate,
        metrics=RequestMetrics(),
        max_body_bytes=100,
        body_seconds=body_seconds,
        max_under_way=10,
        route_limits=(large,),
    )
    return app


async def pieces(size: int) -> AsyncIterator[bytes]:
    for _ in range(0, size, 50):
        yield b"x" * 50


@pytest.mark.parametrize(
    ("path", "size", "status"),
    [
        ("/cases/7/files", 1000, 200),
        ("/cases/7/files", 1050, 413),
        ("/cases/7/files/8", 150, 413),
        ("/cases/x/files", 150, 413),
        ("/cases/7", 100, 200),
        ("/cases/7", 150, 413),
    ],
)
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_route_has_the_limit_that_is_meant_for_it(path: str, size: int, status: int, chunked: bool) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(an_app()), base_url="http://shop") as client:
        answer = await client.post(path, content=pieces(size) if chunked else b"x" * size)
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("crash_at", "path", "dies", "is_done"),
    [
        ("before POST /cases/{case_id}/close", "/cases/7/close", True, False),
        ("after POST /cases/{case_id}/close", "/cases/7/close", True, True),
        ("after POST /cases/{case_id}/close", "/cases/7/close/8", False, True),
        ("after PUT /cases/{case_id}/close", "/cases/7/close", False, True),
        ("", "/cases/7/close", False, True),
    ],
)
async def test_a_service_can_be_made_to_crash_before_or_after_a_request(
    monkeypatch: pytest.MonkeyPatch, crash_at: str, path: str, dies: bool, is_done: bool
) -> None:
    done: list[str] = []
    app = FastAPI()

    @app.post("/{path:path}")
    async def take(path: str) -> Response:
        done.append(path)
        return Response("done")

    class Killed(BaseException):
        """What the kernel does to the process otherwise."""

    def kill(*_: int) -> None:
        raise Killed

    monkeypatch.setattr("lakeproof_shop.serving.crash.os.kill", kill)
    crash = RequestCrash.named(ShopSettings(crash_at=crash_at).crash_at)
    gate = Gate(app, metrics=RequestMetrics(), max_body_bytes=100, body_seconds=5.0, max_under_way=10, crash=crash)
    died = False
    async with httpx.AsyncClient(transport=httpx.ASGITransport(gate), base_url="http://shop") as client:
        try:
            await client.post(path)
        except Killed:
            died = True
    assert (died, bool(done)) == (dies, is_done)


async def drip(times: int, seconds: float) -> AsyncIterator[bytes]:
    for _ in range(times):
        yield b"x"
        await asyncio.sleep(seconds)


@pytest.mark.parametrize(
    ("path", "times", "seconds", "status"),
    [("/cases/7", 200, 0.05, 408), ("/cases/7/files", 50, 0.05, 200), ("/cases/7/files", 2, 5.0, 408)],
    ids=["dripped for too long", "dripped where it may take long", "stalled where it may take long"],
)
async def test_a_body_has_a_time_as_a_whole_and_each_piece_has_one(
    path: str, times: int, seconds: float, status: int
) -> None:
    transport = httpx.ASGITransport(an_app(body_seconds=2.0))
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        answer = await client.post(path, content=drip(times, seconds))
    assert answer.status_code == status
