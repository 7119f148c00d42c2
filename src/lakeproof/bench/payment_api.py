"""payment-api: authorizations per second by HTTP, against the same transaction by bare SQL in the same run.

Closed loop at 16 clients, in turns (SQL, HTTP, SQL, HTTP …), so that a busy machine hits both. The service is the
real one as a process of its own, its relay to Kafka included, on a database and a topic of the benchmark's own.
"""

import asyncio
import contextlib
import itertools
import statistics
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import orjson
import psutil
import uvloop

from lakeproof.bench.benchmark import Benchmark, Options, Progress, Ratio, Result
from lakeproof.bench.closed_loop import Call, closed_loop
from lakeproof.bench.scratch_postgres import connect_to, scratch_postgres, scratch_topic
from lakeproof.bench.service_process import service_process
from lakeproof.errors import TerminalError
from lakeproof.shop.payment.events import operation
from lakeproof.shop.payment.models import Op
from lakeproof.shop.payment.requests import AuthorizeRequest
from lakeproof.shop.payment.store import authorization
from lakeproof.shop.shoppers.report import percentiles_ms
from lakeproof.stack.stack import Stack

CLIENTS = 16
ROUNDS = 4
WARM_SECONDS = 2.0
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
            rounds, cpu_seconds = runner.run(_measure(stack, sql_database, url, service, seconds, progress))
        memory = service.memory_info().rss
    rates = {how: statistics.median(rate for rate, _ in found) for how, found in rounds.items()}
    answered = sum(len(calls) for _, calls in rounds["http"])
    rows = [
        {
            "by": how,
            "payments_per_second": round(rates[how], 1),
            "lowest_round": round(min(rate for rate, _ in found), 1),
            "highest_round": round(max(rate for rate, _ in found), 1),
            **{
                f"{name}_ms": value
                for name, value in percentiles_ms(sorted(call for _, calls in found for call in calls)).items()
            },
        }
        for how, found in rounds.items()
    ]
    return Result(
        "payment-api",
        options,
        {f"authorizations, {CLIENTS} clients, {ROUNDS} rounds of {seconds:g} s each": rows},
        [
            Ratio("HTTP payments/s to bare SQL payments/s", round(rates["http"] / rates["sql"], 3)),
            Ratio(
                "HTTP payments/s to three times the comparable shop's 151/s",
                round(rates["http"] / AIM_PAYMENTS_PER_SECOND, 2),
                "at least 1",
                rates["http"] >= AIM_PAYMENTS_PER_SECOND,
            ),
        ],
        [
            f"service: one worker, pool of {stack.settings.shop.pool_size}, {memory / 2**20:.0f} MiB after the run,"
            f" {cpu_seconds / answered * 1000:.2f} ms of CPU per payment, its events to Kafka included"
        ],
    )


async def _measure(
    stack: Stack, sql_database: str, url: str, service: psutil.Process, seconds: float, progress: Progress
) -> tuple[dict[str, list[tuple[float, list[float]]]], float]:
    """By "sql" and "http": per round, payments per second and the seconds of each call; the service's CPU seconds."""
    rounds: dict[str, list[tuple[float, list[float]]]] = {"sql": [], "http": []}
    orders = itertools.count(1)
    async with _by_sql(stack, sql_database, orders) as sql, _by_http(url, orders) as http:
        for how, clients in (("sql", sql), ("http", http)):
            progress(f"warming {how}, {WARM_SECONDS:g} s")
            await closed_loop(clients, WARM_SECONDS)
        before = service.cpu_times()
        for number in range(1, ROUNDS + 1):
            for how, clients in (("sql", sql), ("http", http)):
                rate, calls = await closed_loop(clients, seconds)
                rounds[how].append((rate, calls))
                progress(f"round {number} of {ROUNDS}: {how} {rate:.0f} payments/s")
        after = service.cpu_times()
    return rounds, after.user + after.system - before.user - before.system


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
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def pay() -> None:
            body = orjson.dumps(_asked(orders).model_dump())
            headers = {"Content-Type": "application/json", "Idempotency-Key": uuid.uuid4().hex}
            async with session.post(f"{url}/payments", data=body, headers=headers) as answer:
                text = await answer.read()
                if answer.status != 201:
                    raise TerminalError(f"{answer.status} {text[:200]!r}", where="POST /payments")

        yield [pay] * CLIENTS


BENCHMARK = Benchmark(
    "payment-api", "payments/s and p50/p95/p99 by HTTP against bare SQL", ("postgres", "kafka"), run
)
