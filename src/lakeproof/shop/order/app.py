"""The order service as a process: `python -m lakeproof.shop.order.app`."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import FastAPI

from lakeproof.deadline import Deadline
from lakeproof.shop.database.errors import DatabaseTrouble
from lakeproof.shop.database.mysql import Connection, connector, execute
from lakeproof.shop.database.pool import ConnectionPool
from lakeproof.shop.order.api import OrderApi, router
from lakeproof.shop.order.metrics import OrderMetrics
from lakeproof.shop.order.store import OrderStore
from lakeproof.shop.service import create_service, serve
from lakeproof.stack.settings import ShopSettings
from lakeproof.stack.stack import Stack

NAME = "order-service"


@dataclass(frozen=True)
class Database:
    """Opens connections; what the app needs of the database."""

    connect: Callable[[], Awaitable[Connection]]


def database_of(stack: Stack) -> Database:
    """The stack's order database, for the service's own user."""
    host, port = stack.host_port("mysql")
    return Database(
        connector(
            host,
            port,
            "order_service",
            stack.secret("mysql-order-service"),
            "oltp",
            connect_seconds=2.0,
            statement_seconds=stack.settings.shop.request_seconds,
        )
    )


def create_app(settings: ShopSettings, database: Database) -> FastAPI:
    """The service; its pool opens with the first request, so it starts also without a database (and says so)."""
    metrics = OrderMetrics()

    @asynccontextmanager
    async def opened(app: FastAPI) -> AsyncIterator[Mapping[str, Callable[[], Awaitable[str]]]]:
        pool = ConnectionPool(database.connect, settings.pool_size, wait_seconds=min(2.0, settings.request_seconds))
        own = ConnectionPool(database.connect, 1, wait_seconds=1.0, connect_seconds=1.0)  # a full pool is not ill
        metrics.database.watch(pool)
        app.state.orders = OrderApi(OrderStore(pool, metrics), settings.request_seconds)
        yield {"mysql": lambda: _ask_database(own)}
        await asyncio.gather(pool.close(), own.close())

    return create_service("order service", settings, metrics, router, opened)


async def _ask_database(pool: ConnectionPool[Connection]) -> str:
    """A real question: the tables are there, may be read, and the server takes writes."""
    try:
        async with pool.connection(Deadline(1.0)) as connection:
            read_only, _ = await execute(connection, "SELECT @@global.read_only; SELECT id FROM orders LIMIT 1")
            return "the database is read-only" if read_only[0][0] else ""
    except DatabaseTrouble as error:
        return str(error)


if __name__ == "__main__":
    serve(NAME, lambda stack: create_app(stack.settings.shop, database_of(stack)))
