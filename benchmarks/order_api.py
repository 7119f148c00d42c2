"""order-api: orders of two items per second by HTTP, against the same transaction by bare SQL in the same run.

Closed loop at 16 clients, in turns (SQL, HTTP, SQL, HTTP …), so that a busy machine hits both. The service runs its
real code in a process of its own, on a database of the benchmark's own, so that `check` meets no orders that nobody
bought.
"""

import uuid
from typing import Any

import psutil

from benchmarks.benchmark import Benchmark, Options, Progress, Ratio, Result
from benchmarks.in_turns import InTurns, by_http, in_turns, on_own_connections
from benchmarks.posting import Post
from benchmarks.scratch_database import connect_to, scratch_database
from benchmarks.service_process import service_process
from lakeproof.stack.stack import Stack
from lakeproof_shop.customers.shoppers.traffic import in_new_loop
from lakeproof_shop.serving.database.mysql import Connection, execute

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
    with scratch_database(stack) as database, service_process("order-service", database) as (url, service):
        done = in_new_loop(_measure(stack, database, url, service, seconds, progress))
    sql, http = done.rate("sql"), done.rate("http")
    p95 = done.percentiles_ms("http")["p95"]
    return Result(
        "order-api",
        options,
        {done.told("orders of two items"): done.rows()},
        [
            Ratio("HTTP orders/s to bare SQL orders/s", round(http / sql, 3)),
            Ratio.at_least("HTTP orders/s to three times the comparable shop's 124/s", http, AIM_ORDERS_PER_SECOND),
            Ratio(
                "HTTP p95 to the comparable shop's 221 ms", round(p95 / AIM_P95_MS, 3), "below 1", p95 < AIM_P95_MS
            ),
        ],
        [done.of_service(stack.settings.shop.pool_size, "order")],
    )


async def _measure(
    stack: Stack, database: str, url: str, service: psutil.Process, seconds: float, progress: Progress
) -> InTurns:
    """Measure the ways "sql" and "http"."""
    by_sql = on_own_connections(connect_to(stack, database), _order_by_sql)
    async with by_sql as sql, by_http(url, _order) as http:
        return await in_turns("orders", {"sql": sql, "http": http}, seconds, service, progress)


async def _order_by_sql(connection: Connection) -> None:
    """Send the same statements in the same round trips as the service."""
    key = uuid.uuid4().hex
    await execute(connection, _TRANSACTION, (key, key))
    await execute(connection, "COMMIT")


async def _order(post: Post) -> None:
    await post("/orders", _BODY, 201)


BENCHMARK = Benchmark("order-api", "orders/s and p50/p95/p99 by HTTP against bare SQL", ("mysql",), run)
