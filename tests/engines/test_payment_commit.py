"""A COMMIT whose answer is lost, on a real PostgreSQL: said to be unclear, found out by the same key, done once.

The service's app runs in this process; its connections go through a proxy that cuts them at COMMIT, before it or
after the server has done it.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from lakeproof.processes.client import SupervisorClient
from lakeproof.stack import postgres_session
from lakeproof.stack.settings import ShopSettings
from lakeproof.stack.stack import Stack
from lakeproof_shop.services.payment.app import Surroundings, create_app
from lakeproof_shop.serving.database.postgres import connector, connector_of

pytestmark = pytest.mark.engines

COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"


class CuttingProxy:
    """TCP to the server and back. `cut`: "" (never), "before" the COMMIT is passed on, "after" it was answered."""

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self.cut, self.cuts = "", 0

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        listener = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        try:
            yield listener.sockets[0].getsockname()[1]
        finally:
            listener.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection(*self._server)
        answers = asyncio.create_task(self._answer(from_server, writer))
        try:
            while data := await reader.read(65536):
                if COMMIT in data and self.cut:
                    self.cuts += 1
                    answers.cancel()
                    await asyncio.wait({answers})
                    if self.cut == "after":
                        to_server.write(data)
                        assert await from_server.read(65536)
                    return
                to_server.write(data)
        finally:
            answers.cancel()
            to_server.transport.abort()
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)


@asynccontextmanager
async def service(stack: Stack, proxy: CuttingProxy) -> AsyncIterator[httpx.AsyncClient]:
    async with proxy.listening() as port:
        secret = stack.secret("postgres-payment-service")
        through = connector(
            "127.0.0.1", port, "payment_service", secret, "shop", connect_seconds=2.0, statement_seconds=5.0
        )
        around = Surroundings(through, connector_of(stack, "payment"), stack.address("kafka", "tcp"))
        app = create_app(ShopSettings(), around)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client,
        ):
            yield client


async def versions(stack: Stack, order_id: int) -> list[tuple[Any, ...]]:
    return await asyncio.to_thread(
        postgres_session.select,
        stack,
        "reader",
        "postgres-reader",
        "SELECT status, version FROM payments WHERE order_id = $1",
        order_id,
        database="shop",
        schema="payment",
    )


@pytest.mark.parametrize("cut", ["before", "after"])
def test_a_lost_commit_is_unclear_and_the_same_key_finds_out(
    stack: Stack, up: Callable[..., SupervisorClient], cut: str
) -> None:
    up("postgres")

    async def run() -> None:
        proxy = CuttingProxy(*stack.host_port("postgres"))
        async with service(stack, proxy) as shop:
            for _ in range(10):
                order, authorize, capture = uuid.uuid4().int % 2**50 + 1, uuid.uuid4().hex, uuid.uuid4().hex
                body = {"order_id": order, "customer_id": 5, "amount": "15.30", "card": "tok_visa"}

                async def post(path: str, key: str, what: dict[str, Any] | None) -> httpx.Response:
                    return await shop.post(path, json=what, headers={"idempotency-key": key})

                proxy.cut = cut
                lost = await post("/payments", authorize, body)
                assert (lost.status_code, lost.json()["outcome"]) == (503, "unclear")
                proxy.cut = ""
                found = await post("/payments", authorize, body)
                assert found.status_code == (200 if cut == "after" else 201), found.text
                assert await versions(stack, order) == [("authorized", 1)]

                path = f"/payments/{found.json()['id']}/capture"
                proxy.cut = cut
                lost = await post(path, capture, None)
                assert (lost.status_code, lost.json()["outcome"]) == (503, "unclear")
                proxy.cut = ""
                found = await post(path, capture, None)
                assert (found.status_code, found.json()["captured"]) == (200, "15.30")
                assert ("idempotent-replayed" in found.headers) == (cut == "after")
                assert await versions(stack, order) == [("captured", 2)]
        assert proxy.cuts == 20

    asyncio.run(run())
