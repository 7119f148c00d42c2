"""The gate's limits on bodies: one for all routes, another for those that are named."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI, Request, Response

from lakeproof.shop.gate import Gate, RouteLimit
from lakeproof.shop.metrics import RequestMetrics


def an_app() -> FastAPI:
    app = FastAPI()

    @app.post("/{path:path}")
    async def take(request: Request) -> Response:
        seen = 0
        async for chunk in request.stream():
            seen += len(chunk)
        return Response(str(seen))

    large = RouteLimit("POST", re.compile(r"/cases/\d+/files"), 1000)
    app.add_middleware(
        Gate,
        metrics=RequestMetrics(),
        max_body_bytes=100,
        body_seconds=5.0,
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
