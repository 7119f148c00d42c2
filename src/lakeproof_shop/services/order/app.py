"""The order service as a process: `python -m lakeproof_shop.services.order.app`."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from fastapi import APIRouter, FastAPI

from lakeproof.deadline import Deadline
from lakeproof.stack.settings import CheckoutSettings, ShopSettings
from lakeproof.stack.stack import Stack
from lakeproof_shop.services.checkout.api import CheckoutApi
from lakeproof_shop.services.checkout.api import router as checkout_router
from lakeproof_shop.services.checkout.metrics import CheckoutMetrics
from lakeproof_shop.services.checkout.saga import Saga
from lakeproof_shop.services.checkout.services import Services, urls_of
from lakeproof_shop.services.checkout.steps import Steps
from lakeproof_shop.services.checkout.store import CheckoutStore
from lakeproof_shop.services.checkout.sweeper import Sweeper
from lakeproof_shop.services.order.api import OrderApi, router
from lakeproof_shop.services.order.metrics import OrderMetrics
from lakeproof_shop.services.order.store import OrderStore
from lakeproof_shop.serving.background import Background
from lakeproof_shop.serving.crash import warn_of_crash
from lakeproof_shop.serving.database.mysql import Connection, connector, execute
from lakeproof_shop.serving.database.pool import ConnectionPool
from lakeproof_shop.serving.health import Question
from lakeproof_shop.serving.service import create_service, serve

NAME = "order-service"


def connector_of(stack: Stack) -> Callable[[], Awaitable[Connection]]:
    """As `connector`, for the stack's order database, by the service's own account."""
    host, port = stack.host_port("mysql")
    return connector(
        host,
        port,
        stack.account("mysql-order-service", "order_service"),
        stack.secret("mysql-order-service"),
        "oltp",
        connect_seconds=2.0,
        statement_seconds=stack.settings.shop.request_seconds,
    )


@dataclass(frozen=True)
class Checkouts:
    """What the checkout needs: the URLs of the other services, and its settings."""

    urls: Mapping[str, str]
    settings: CheckoutSettings


def create_app(
    settings: ShopSettings, connect: Callable[[], Awaitable[Connection]], checkouts: Checkouts | None = None
) -> FastAPI:
    """Make the service. Its pool opens with the first request, so it starts also without a database (and says so).

    Without `checkouts` it has the routes of orders only.
    """
    metrics = OrderMetrics()

    @asynccontextmanager
    async def opened(app: FastAPI) -> AsyncIterator[Mapping[str, Question]]:
        pool = ConnectionPool(connect, settings.pool_size)
        asking = ConnectionPool(connect, 1)
        metrics.database.watch(pool)
        orders = OrderStore(pool, metrics)
        app.state.orders = OrderApi(orders, settings.request_seconds)
        questions: dict[str, Question] = {"mysql": lambda: _ask_database(asking)}
        try:
            async with AsyncExitStack() as running:
                if checkouts is not None:
                    sweeper = await running.enter_async_context(
                        _checkouts(app, checkouts, settings, pool, orders, metrics)
                    )
                    questions["checkout-sweeper"] = lambda: sweeper.ended
                yield questions
        finally:
            await asyncio.gather(pool.close(), asking.close())

    routes = APIRouter()
    routes.include_router(router)
    if checkouts is not None:
        routes.include_router(checkout_router)
    return create_service("order service", settings, metrics, routes, opened)


@asynccontextmanager
async def _checkouts(
    app: FastAPI,
    checkouts: Checkouts,
    settings: ShopSettings,
    pool: ConnectionPool[Connection],
    orders: OrderStore,
    metrics: OrderMetrics,
) -> AsyncIterator[Background]:
    """Set `app.state.checkouts`, and run the sweeper for the block. Gives the running sweeper."""
    own = checkouts.settings
    warn_of_crash("checkout.crash_at", own.crash_at)
    counted = CheckoutMetrics(metrics.registry)
    async with Services(checkouts.urls, call_seconds=own.call_seconds) as services:
        store = CheckoutStore(pool, metrics.database, hold_seconds=own.hold_seconds)
        saga = Saga(store, Steps(services, orders, own.call_seconds), counted, crash_at=own.crash_at)
        app.state.checkouts = CheckoutApi(store, saga, settings.request_seconds)
        sweeper = Sweeper(store, saga, counted, pause_seconds=own.sweep_seconds, work_seconds=own.work_seconds)
        works = Background({"checkout sweeper": sweeper.run()})
        try:
            yield works
        finally:
            await works.stop()


async def _ask_database(pool: ConnectionPool[Connection]) -> str:
    """A real question: the tables are there, may be read, and the server takes writes. Raises: DatabaseTrouble."""
    async with pool.connection(Deadline(1.0)) as connection:
        read_only, _ = await execute(connection, "SELECT @@global.read_only; SELECT id FROM orders LIMIT 1")
        return "the database is read-only" if read_only[0][0] else ""


def main(stack: Stack) -> FastAPI:
    """The order service of a stack."""
    checkouts = Checkouts(urls_of(stack), stack.settings.checkout)
    return create_app(stack.settings.shop, connector_of(stack), checkouts)


if __name__ == "__main__":
    serve(NAME, main)
