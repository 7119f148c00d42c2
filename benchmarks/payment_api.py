"""payment-api: authorizations per second by HTTP, against the same transaction by bare SQL in the same run.

Closed loop at 16 clients, in turns (SQL, HTTP, SQL, HTTP …), so that a busy machine hits both. The service runs its
real code in a process of its own, with its relay to Kafka, on a database and a topic of the benchmark's own.
"""

import itertools
import uuid
from collections.abc import Iterator

import psutil

from benchmarks.benchmark import Benchmark, Options, Progress, Ratio, Result
from benchmarks.in_turns import InTurns, by_http, in_turns, on_own_connections
from benchmarks.posting import Post
from benchmarks.scratch_postgres import connect_to, scratch_postgres, scratch_topic
from benchmarks.service_process import service_process
from lakeproof.stack.stack import Stack
from lakeproof_shop.customers.shoppers.traffic import in_new_loop
from lakeproof_shop.services.payment.models import Op
from lakeproof_shop.services.payment.requests import AuthorizeRequest
from lakeproof_shop.services.payment.store import authorization
from lakeproof_shop.serving.database.postgres import Connection
from lakeproof_shop.serving.operation import operation

SECONDS = 8.0
AIM_PAYMENTS_PER_SECOND = 3 * 151  # three times a comparable public shop on this kind of machine


def run(stack: Stack, options: Options, progress: Progress) -> Result:
    """Raises: TerminalError where the service does not start or refuses a payment."""
    seconds = options.seconds or SECONDS
    with (
        scratch_postgres(stack, "payment") as database,
        # Bare SQL has a database of its own: in a shared one, the service's relay would send its outbox rows too.
        scratch_postgres(stack, "payment", f"{database}_sql") as sql_database,
        scratch_topic(stack),
        service_process("payment-service", database) as (url, service),
    ):
        done = in_new_loop(_measure(stack, sql_database, url, service, seconds, progress))
    sql, http = done.rate("sql"), done.rate("http")
    return Result(
        "payment-api",
        options,
        {done.told("authorizations"): done.rows()},
        [
            Ratio("HTTP payments/s to bare SQL payments/s", round(http / sql, 3)),
            Ratio.at_least(
                "HTTP payments/s to three times the comparable shop's 151/s", http, AIM_PAYMENTS_PER_SECOND
            ),
        ],
        [done.of_service(stack.settings.shop.pool_size, "payment, its events to Kafka included")],
    )


async def _measure(
    stack: Stack, sql_database: str, url: str, service: psutil.Process, seconds: float, progress: Progress
) -> InTurns:
    """Measure the ways "sql" and "http"."""
    orders = itertools.count(1)

    async def pay_by_sql(connection: Connection) -> None:
        """Send the same statements in the same round trips as the service."""
        asked = operation(Op.AUTHORIZE, uuid.uuid4().hex, None, "body")
        statement, args = authorization(_asked(orders), asked)
        await connection.execute("BEGIN")
        await connection.fetch(statement, *args)
        await connection.execute("COMMIT")

    async def pay(post: Post) -> None:
        await post("/payments", _asked(orders).model_dump(), 201)

    by_sql = on_own_connections(connect_to(stack, sql_database), pay_by_sql)
    async with by_sql as sql, by_http(url, pay) as http:
        return await in_turns("payments", {"sql": sql, "http": http}, seconds, service, progress)


def _asked(orders: Iterator[int]) -> AuthorizeRequest:
    return AuthorizeRequest(order_id=next(orders), customer_id=42, amount="15.30", card="tok_visa")


BENCHMARK = Benchmark(
    "payment-api", "payments/s and p50/p95/p99 by HTTP against bare SQL", ("postgres", "kafka"), run
)
