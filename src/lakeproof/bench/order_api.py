"""order-api: orders of two items per second by HTTP, against the same transaction by bare SQL in the same run.

Closed loop at 16 clients, in turns (SQL, HTTP, SQL, HTTP …), so that a busy machine hits both. The service is the
real one as a process of its own, on a database of the benchmark's own, so that `check` meets
no orders that nobody bought.
"""

import asyncio
import contextlib
import tempfile
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import uvloop

from lakeproof.bench.benchmark import Benchmark, Options, Progress, Ratio, Result
from lakeproof.bench.closed_loop import Call
from lakeproof.bench.in_turns import CLIENTS, ROUNDS, InTurns, in_turns
from lakeproof.bench.posting import posting
from lakeproof.bench.scratch_database import connect_to, scratch_database
from lakeproof.bench.service_process import service_process
from lakeproof.services.database.mysql import execute
from lakeproof.stack.stack import Stack

SECONDS = 8.0
AIM_ORDERS_PER_SECOND = 3 * 124  # three times a comparable public shop on this kind of machine
AIM_P95_MS = 221.0

_TRANSACTION = (
    "START TRANSACTION;"
    "SET @at = UTC_TIMESTAMP(6);"
    "INSERT INTO orders (client_key, customer_id, status, total, item_count, version, created_at, updated_at)"
    " VALUES (%s, 42, 'created', 15.30, 2, 1, @at, @at);"
    "SET @id = LAST_INSERT_ID();"
    "INSERT INTO order_items (order_id, line, sku, quantity, unit_price)"
    " VALUES (@id, 1, 'sku-1', 2, 6.15), (@id, 2, 'sku-2', 1, 3.00);"
    "INSERT INTO order_events (order_id, version, type, at) VALUES (@id, 1, 'created', @at);"
    "INSERT INTO order_operations (operation_key, order_id, version, digest, at)"
    " VALUES (%s, @id, 1, REPEAT('x', 32), @at);"
    "SELECT id, @id, @at FROM order_items WHERE order_id = @id ORDER BY line"
)
_BODY: dict[str, Any] = {
    "customer_id": 42,
    "items": [
        {"sku": "sku-1", "quantity": 2, "unit_price": "6.15"},
        {"sku": "sku-2", "quantity": 1, "unit_price": "3.00"},
    ],
}


def run(stack: Stack, options: Options, progress: Progress) -> Result:
    """Raises: TerminalError where the service does not start or refuses an order."""
    seconds = options.seconds or SECONDS
    with (
        scratch_database(stack) as database,
        tempfile.TemporaryDirectory(prefix="lakeproof-bench-") as folder,
        service_process("order_server", database, Path(folder) / "service.log") as (url, process),
    ):
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            service = psutil.Process(process.pid)
            done = runner.run(_measure(stack, database, url, service, seconds, progress))
        memory = service.memory_info().rss
    sql, http = done.rate("sql"), done.rate("http")
    p95 = done.percentiles_ms("http")["p95"]
    return Result(
        "order-api",
        options,
        {f"orders of two items, {CLIENTS} clients, {ROUNDS} rounds of {seconds:g} s each": done.rows()},
        [
            Ratio("HTTP orders/s to bare SQL orders/s", round(http / sql, 3)),
            Ratio(
                "HTTP orders/s to three times the comparable shop's 124/s",
                round(http / AIM_ORDERS_PER_SECOND, 2),
                "at least 1",
                http >= AIM_ORDERS_PER_SECOND,
            ),
            Ratio(
                "HTTP p95 to the comparable shop's 221 ms", round(p95 / AIM_P95_MS, 3), "below 1", p95 < AIM_P95_MS
            ),
        ],
        [
            f"service: one worker, pool of {stack.settings.shop.pool_size}, {memory / 2**20:.0f} MiB after the run,"
            f" {done.cpu_ms('http'):.2f} ms of CPU per order"
        ],
    )


async def _measure(
    stack: Stack, database: str, url: str, service: psutil.Process, seconds: float, progress: Progress
) -> InTurns:
    """By "sql" and "http"."""
    async with _by_sql(stack, database) as sql, _by_http(url) as http:
        return await in_turns("orders", {"sql": sql, "http": http}, seconds, service, progress)


@contextlib.asynccontextmanager
async def _by_sql(stack: Stack, database: str) -> AsyncIterator[list[Call]]:
    """One connection per client; the same statements and round trips as the service sends."""
    connect = connect_to(stack, database)
    connections = [await connect() for _ in range(CLIENTS)]

    def client(index: int) -> Call:
        async def order() -> None:
            key = uuid.uuid4().hex
            await execute(connections[index], _TRANSACTION, (key, key))
            await execute(connections[index], "COMMIT")

        return order

    try:
        yield [client(index) for index in range(CLIENTS)]
    finally:
        for connection in connections:
            connection.close()


@contextlib.asynccontextmanager
async def _by_http(url: str) -> AsyncIterator[list[Call]]:
    async with posting(url) as post:

        async def order() -> None:
            await post("/orders", _BODY, 201)

        yield [order] * CLIENTS


BENCHMARK = Benchmark("order-api", "orders/s and p50/p95/p99 by HTTP against bare SQL", ("mysql",), run)
