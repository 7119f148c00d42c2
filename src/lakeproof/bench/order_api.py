"""order-api: orders of two items per second by HTTP, against the same transaction by bare SQL in the same run.

Closed loop at 16 clients, in turns (SQL, HTTP, SQL, HTTP …), so that a busy machine hits both. The service is the
real one as a process of its own, on a database of the benchmark's own, so that `check` meets
no orders that nobody bought.
"""

import asyncio
import contextlib
import statistics
import tempfile
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import psutil
import uvloop

from lakeproof.bench.benchmark import Benchmark, Options, Progress, Ratio, Result
from lakeproof.bench.closed_loop import Call, closed_loop
from lakeproof.bench.scratch_database import connect_to, scratch_database
from lakeproof.bench.service_process import service_process
from lakeproof.errors import TerminalError
from lakeproof.shop.database.mysql import execute
from lakeproof.shop.shoppers.report import percentiles_ms
from lakeproof.stack.stack import Stack

CLIENTS = 16
ROUNDS = 4
WARM_SECONDS = 2.0
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
            rounds, service_cpu_seconds = runner.run(_measure(stack, database, url, service, seconds, progress))
        memory = service.memory_info().rss
    rates = {how: statistics.median(rate for rate, _ in found) for how, found in rounds.items()}
    calls = {how: sorted(call for _, calls in found for call in calls) for how, found in rounds.items()}
    answered = sum(len(calls) for _, calls in rounds["http"])
    cpu_ms = service_cpu_seconds / answered * 1000
    rows = [
        {
            "by": how,
            "orders_per_second": round(rates[how], 1),
            "lowest_round": round(min(rate for rate, _ in rounds[how]), 1),
            "highest_round": round(max(rate for rate, _ in rounds[how]), 1),
            **{f"{name}_ms": value for name, value in percentiles_ms(calls[how]).items()},
        }
        for how in rates
    ]
    p95 = percentiles_ms(calls["http"])["p95"]
    return Result(
        "order-api",
        options,
        {f"orders of two items, {CLIENTS} clients, {ROUNDS} rounds of {seconds:g} s each": rows},
        [
            Ratio("HTTP orders/s to bare SQL orders/s", round(rates["http"] / rates["sql"], 3)),
            Ratio(
                "HTTP orders/s to three times the comparable shop's 124/s",
                round(rates["http"] / AIM_ORDERS_PER_SECOND, 2),
                "at least 1",
                rates["http"] >= AIM_ORDERS_PER_SECOND,
            ),
            Ratio(
                "HTTP p95 to the comparable shop's 221 ms", round(p95 / AIM_P95_MS, 3), "below 1", p95 < AIM_P95_MS
            ),
        ],
        [
            f"service: one worker, pool of {stack.settings.shop.pool_size}, {memory / 2**20:.0f} MiB after the run,"
            f" {cpu_ms:.2f} ms of CPU per order"
        ],
    )


async def _measure(
    stack: Stack, database: str, url: str, service: psutil.Process, seconds: float, progress: Progress
) -> tuple[dict[str, list[tuple[float, list[float]]]], float]:
    """By "sql" and "http": per round, orders per second and the seconds of each call; the service's CPU seconds."""
    rounds: dict[str, list[tuple[float, list[float]]]] = {"sql": [], "http": []}
    async with _by_sql(stack, database) as sql, _by_http(url) as http:
        for how, orders in (("sql", sql), ("http", http)):
            progress(f"warming {how}, {WARM_SECONDS:g} s")
            await closed_loop(orders, WARM_SECONDS)
        before = service.cpu_times()
        for number in range(1, ROUNDS + 1):
            for how, orders in (("sql", sql), ("http", http)):
                rate, calls = await closed_loop(orders, seconds)
                rounds[how].append((rate, calls))
                progress(f"round {number} of {ROUNDS}: {how} {rate:.0f} orders/s")
        after = service.cpu_times()
    return rounds, after.user + after.system - before.user - before.system


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
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def order() -> None:
            body = orjson.dumps(_BODY)
            headers = {"Content-Type": "application/json", "Idempotency-Key": uuid.uuid4().hex}
            async with session.post(f"{url}/orders", data=body, headers=headers) as answer:
                text = await answer.read()
                if answer.status != 201:
                    raise TerminalError(f"{answer.status} {text[:200]!r}", where="POST /orders")

        yield [order] * CLIENTS


BENCHMARK = Benchmark("order-api", "orders/s and p50/p95/p99 by HTTP against bare SQL", ("mysql",), run)
