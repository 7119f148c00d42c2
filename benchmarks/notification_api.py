"""notification-api: notifications made and sent per second by HTTP, against bare SMTP in the same run.

Closed loop at 16 clients, in turns (SMTP, HTTP, SMTP, HTTP …), so that a busy machine hits both. One flow is two
calls: create, then send, which asks the limiter in Redis, takes the lease and hands the mail over. Service and mail
sink run their real code in processes of their own, on a database, a folder and a topic of the benchmark's own.
"""

import contextlib
import itertools
import tempfile
import uuid
from collections.abc import AsyncIterator

import orjson
import psutil

from benchmarks.benchmark import Benchmark, Options, Progress, Ratio, Result
from benchmarks.closed_loop import Call
from benchmarks.in_turns import CLIENTS, InTurns, by_http, in_turns
from benchmarks.posting import Post
from benchmarks.scratch_postgres import scratch_postgres, scratch_topic
from benchmarks.service_process import free_port, service_process
from lakeproof.stack.stack import Stack
from lakeproof_shop.customers.shoppers.traffic import in_new_loop
from lakeproof_shop.services.notification.providers import Delivery, MailProvider

SECONDS = 8.0
AIM_FLOWS_PER_SECOND = 3 * 71  # three times a comparable public shop on this kind of machine


def run(stack: Stack, options: Options, progress: Progress) -> Result:
    """Raises: TerminalError where a process does not start, or a notification is not sent."""
    seconds, smtp = options.seconds or SECONDS, free_port()
    with (
        scratch_postgres(stack, "notification") as database,
        scratch_topic(stack),
        tempfile.TemporaryDirectory(prefix="lakeproof-bench-") as folder,
        service_process("mail-sink", f"{smtp}:{folder}"),
        service_process("notification-service", f"{smtp}:{database}") as (url, service),
    ):
        done = in_new_loop(_measure(smtp, url, service, seconds, progress))
    bare, http = done.rate("smtp"), done.rate("http")
    return Result(
        "notification-api",
        options,
        {done.told("made and sent"): done.rows()},
        [
            Ratio("HTTP flows/s to bare SMTP mails/s", round(http / bare, 3)),
            Ratio.at_least("HTTP flows/s to three times the comparable shop's 71/s", http, AIM_FLOWS_PER_SECOND),
        ],
        [
            f"{done.of_service(stack.settings.shop.pool_size, 'flow, its events to Kafka included')};"
            f" limiter: {stack.settings.notification.notification_rate_limit} per customer, each customer once"
        ],
    )


async def _measure(smtp: int, url: str, service: psutil.Process, seconds: float, progress: Progress) -> InTurns:
    """Measure the ways "smtp" and "http"."""
    customers = itertools.count(1)

    async def flow(post: Post) -> None:
        body = {
            "customer_id": next(customers),
            "channel": "email",
            "to": "customer@shop.example",
            "subject": "Your order",
            "body": "Text",
            "topic": "order",
        }
        made = orjson.loads(await post("/notifications", body, 201))
        await post(f"/notifications/{made['id']}/send", None, 200)

    async with _by_smtp(smtp) as bare, by_http(url, flow) as http:
        return await in_turns("flows", {"smtp": bare, "http": http}, seconds, service, progress)


@contextlib.asynccontextmanager
async def _by_smtp(port: int) -> AsyncIterator[list[Call]]:
    """Calls that send the same mails by the same mail client, without a service."""
    provider = MailProvider("127.0.0.1", port, 5.0)

    async def send() -> None:
        await provider.deliver(Delivery(uuid.uuid4(), "customer@shop.example", "Your order", "Text", "order"))

    try:
        yield [send] * CLIENTS
    finally:
        await provider.close()


BENCHMARK = Benchmark(
    "notification-api",
    "notifications made and sent/s, limiter included, by HTTP against bare SMTP",
    ("postgres", "redis", "kafka"),
    run,
)
