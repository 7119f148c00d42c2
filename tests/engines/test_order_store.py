"""The order store on a real MariaDB whose connection is cut at the worst moment: around COMMIT."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Literal

import pytest

from lakeproof.deadline import Deadline
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.stack import Stack
from lakeproof_shop.services.order.metrics import OrderMetrics
from lakeproof_shop.services.order.models import Op
from lakeproof_shop.services.order.requests import CreateRequest
from lakeproof_shop.services.order.store import OrderStore
from lakeproof_shop.serving.database.errors import CommitUnclear
from lakeproof_shop.serving.database.mysql import connector
from lakeproof_shop.serving.database.pool import ConnectionPool
from lakeproof_shop.serving.operation import Operation, operation

pytestmark = pytest.mark.engines

type Cut = Literal["before", "after", "never"]


class CuttingProxy:
    """Passes bytes to MariaDB; at the first COMMIT it hangs up, before or after handing it on."""

    def __init__(self, host: str, port: int, cut: Cut) -> None:
        self._host, self._port, self._cut = host, port, cut
        self.port = 0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        their_reader, their_writer = await asyncio.open_connection(self._host, self._port)

        swallow, swallowed = asyncio.Event(), asyncio.Event()

        async def answers() -> None:
            while data := await their_reader.read(65536):
                if swallow.is_set():
                    swallowed.set()
                    return
                writer.write(data)

        back = asyncio.create_task(answers())
        try:
            while data := await reader.read(65536):
                if self._cut != "never" and b"COMMIT" in data and b"READ COMMITTED" not in data:
                    cut, self._cut = self._cut, "never"
                    if cut == "after":
                        swallow.set()
                        their_writer.write(data)
                        await swallowed.wait()  # it has answered, so it is done; nobody hears of it
                    return
                their_writer.write(data)
        finally:
            back.cancel()
            writer.close()
            their_writer.close()


@asynccontextmanager
async def a_store(stack: Stack, cut: Cut) -> AsyncIterator[OrderStore]:
    host, port = stack.host_port("mysql")
    proxy = CuttingProxy(host, port, cut)
    async with proxy.serving():
        connect = connector(
            "127.0.0.1",
            proxy.port,
            "order_service",
            stack.secret("mysql-order-service"),
            "oltp",
            connect_seconds=5,
            statement_seconds=5,
        )
        pool = ConnectionPool(connect, 2)
        yield OrderStore(pool, OrderMetrics())
        await pool.close()


@pytest.fixture(scope="module", autouse=True)
def database(up: Callable[..., SupervisorClient]) -> None:
    up("mysql")


def a_request() -> tuple[CreateRequest, Operation[Op]]:
    request = CreateRequest.model_validate(
        {"customer_id": 5, "items": [{"sku": "sku-1", "quantity": 2, "unit_price": "6.15"}]}
    )
    return request, operation(Op.CREATE, f"cut-{uuid.uuid4().hex}", None, request.canonical())


@pytest.mark.parametrize(("cut", "was_done"), [("before", False), ("after", True)])
async def test_a_cut_around_commit_is_unclear_and_the_repeat_makes_one_order(
    stack: Stack, cut: Cut, was_done: bool
) -> None:
    request, asked = a_request()
    async with a_store(stack, cut) as store:
        with pytest.raises(CommitUnclear):
            await store.create(request, asked, Deadline(5))
        repeated = await store.create(request, asked, Deadline(5))
        again = await store.create(request, asked, Deadline(5))
    assert (repeated.replayed, again.replayed) == (was_done, True)
    assert again.order == repeated.order


@pytest.mark.parametrize("cut", ["before", "after"])
async def test_a_payment_cut_around_commit_is_made_once_by_its_repeat(stack: Stack, cut: Cut) -> None:
    request, asked = a_request()
    async with a_store(stack, "never") as store:
        order_id = (await store.create(request, asked, Deadline(5))).order_id
    pay = operation(Op.PAY, f"pay-{uuid.uuid4().hex}", order_id)
    async with a_store(stack, cut) as store:
        with pytest.raises(CommitUnclear):
            await store.change(order_id, pay, Deadline(5), expected_version=1)
        paid = await store.change(order_id, pay, Deadline(5), expected_version=1)
    assert (paid.version, paid.order and paid.order.status) == (2, "paid")
