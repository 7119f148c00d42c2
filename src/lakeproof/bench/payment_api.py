"""payment-api: authorizations per second by HTTP, against the same transaction by bare SQL in the same run.

Closed loop at 16 clients, in turns (SQL, HTTP, SQL, HTTP …), so that a busy machine hits both. The service is the
real one as a process of its own, its relay to Kafka included, on a database and a topic of the benchmark's own.
"""

import asyncio
import contextlib
import itertools
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import uvloop

from lakeproof.bench.benchmark import Benchmark, Options, Progress, Ratio, Result
from lakeproof.bench.closed_loop import Call
from lakeproof.bench.in_turns import CLIENTS, ROUNDS, InTurns, in_turns
from lakeproof.bench.posting import posting
from lakeproof.bench.scratch_postgres import connect_to, scratch_postgres, scratch_topic
from lakeproof.bench.service_process import service_process
from lakeproof.shop.payment.events import operation
from lakeproof.shop.payment.models import Op
from lakeproof.shop.payment.requests import AuthorizeRequest
from lakeproof.shop.payment.store import authorization
from lakeproof.stack.stack import Stack

SECONDS = 8.0
AIM_PAYMENTS_PER_SECOND = 3 * 151  # three times a comparable public shop on this kind of machine


def run(stack: Stack, options: Options, progress: Progress) -> Result:
    """Raises: TerminalError where the service does not start or refuses a payment."""
    seconds = options.seconds or SECONDS
    with (
        scratch_postgres(stack, "payment") as database,
        # The service's relay would send what bare SQL leaves in the same outbox.
        scratch_postgres(stack, "payment", f"{database}_sql") as sql_database,
        scratch_topic(stack),
        tempfile.TemporaryDirectory(prefix="lakeproof-bench-") as folder,
        service_process("payment_server", database, Path(folder) / "service.log") as (url, process),
    ):
        service = psutil.Process(process.pid)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            done = runner.run(_measure(stack, sql_database, url, service, seconds, progress))
        memory = service.memory_info().rss
    sql, http = done.rate("sql"), done.rate("http")
    return Result(
        "payment-api",
        options,
        {f"authorizations, {CLIENTS} clients, {ROUNDS} rounds of {seconds:g} s each": done.rows()},
        [
            Ratio("HTTP payments/s to bare SQL payments/s", round(http / sql, 3)),
            Ratio(
                "HTTP payments/s to three times the comparable shop's 151/s",
                round(http / AIM_PAYMENTS_PER_SECOND, 2),
                "at least 1",
                http >= AIM_PAYMENTS_PER_SECOND,
            ),
        ],
        [
            f"service: one worker, pool of {stack.settings.shop.pool_size}, {memory / 2**20:.0f} MiB after the run,"
            f" {done.cpu_ms('http'):.2f} ms of CPU per payment, its events to Kafka included"
        ],
    )


async def _measure(
    stack: Stack, sql_database: str, url: str, service: psutil.Process, seconds: float, progress: Progress
) -> InTurns:
    """By "sql" and "http"."""
    orders = itertools.count(1)
    async with _by_sql(stack, sql_database, orders) as sql, _by_http(url, orders) as http:
        return await in_turns("payments", {"sql": sql, "http": http}, seconds, service, progress)


def _asked(orders: Iterator[int]) -> AuthorizeRequest:
    return AuthorizeRequest(order_id=next(orders), customer_id=42, amount="15.30", card="tok_visa")


@contextlib.asynccontextmanager
async def _by_sql(stack: Stack, database: str, orders: Iterator[int]) -> AsyncIterator[list[Call]]:
    """One connection per client; the same statements and round trips as the service sends."""
    connect = connect_to(stack, database)
    connections = [await connect() for _ in range(CLIENTS)]

    def client(index: int) -> Call:
        async def pay() -> None:
            request = _asked(orders)
            statement, args = authorization(request, operation(Op.AUTHORIZE, uuid.uuid4().hex, None, "body"))
            await connections[index].execute("BEGIN")
            await connections[index].fetch(statement, *args)
            await connections[index].execute("COMMIT")

        return pay

    try:
        yield [client(index) for index in range(CLIENTS)]
    finally:
        for connection in connections:
            connection.close()


@contextlib.asynccontextmanager
async def _by_http(url: str, orders: Iterator[int]) -> AsyncIterator[list[Call]]:
    async with posting(url) as post:

        async def pay() -> None:
            await post("/payments", _asked(orders).model_dump(), 201)

        yield [pay] * CLIENTS


BENCHMARK = Benchmark(
    "payment-api", "payments/s and p50/p95/p99 by HTTP against bare SQL", ("postgres", "kafka"), run
)
