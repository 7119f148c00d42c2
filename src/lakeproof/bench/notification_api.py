"""notification-api: notifications made and sent per second by HTTP, against bare SMTP in the same run.

Closed loop at 16 clients, in turns (SMTP, HTTP, SMTP, HTTP …), so that a busy machine hits both. One flow is two
calls: create, then send, which asks the limiter in Redis, takes the lease and hands the mail over. Service and mail
sink are the real ones as processes of their own, on a database, a folder and a topic of the benchmark's own.
"""

import asyncio
import contextlib
import itertools
import socket
import tempfile
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import psutil
import uvloop

from lakeproof.bench.benchmark import Benchmark, Options, Progress, Ratio, Result
from lakeproof.bench.closed_loop import Call
from lakeproof.bench.in_turns import CLIENTS, ROUNDS, InTurns, in_turns
from lakeproof.bench.posting import posting
from lakeproof.bench.scratch_postgres import scratch_postgres, scratch_topic
from lakeproof.bench.service_process import service_process
from lakeproof.shop.notification.providers import Delivery, MailProvider
from lakeproof.stack.stack import Stack

SECONDS = 8.0
AIM_FLOWS_PER_SECOND = 3 * 71  # three times a comparable public shop on this kind of machine


def run(stack: Stack, options: Options, progress: Progress) -> Result:
    """Raises: TerminalError where a process does not start, or a notification is not sent."""
    seconds, smtp = options.seconds or SECONDS, _free_port()
    with (
        scratch_postgres(stack, "notification") as database,
        scratch_topic(stack),
        tempfile.TemporaryDirectory(prefix="lakeproof-bench-") as folder,
        service_process("mail_sink_server", f"{smtp}:{folder}/mail", Path(folder) / "sink.log"),
        service_process("notification_server", f"{smtp}:{database}", Path(folder) / "service.log") as (url, process),
    ):
        service = psutil.Process(process.pid)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            done = runner.run(_measure(smtp, url, service, seconds, progress))
        memory = service.memory_info().rss
    bare, http = done.rate("smtp"), done.rate("http")
    return Result(
        "notification-api",
        options,
        {f"made and sent, {CLIENTS} clients, {ROUNDS} rounds of {seconds:g} s each": done.rows()},
        [
            Ratio("HTTP flows/s to bare SMTP mails/s", round(http / bare, 3)),
            Ratio(
                "HTTP flows/s to three times the comparable shop's 71/s",
                round(http / AIM_FLOWS_PER_SECOND, 2),
                "at least 1",
                http >= AIM_FLOWS_PER_SECOND,
            ),
        ],
        [
            f"service: one worker, pool of {stack.settings.shop.pool_size}, {memory / 2**20:.0f} MiB after the run,"
            f" {done.cpu_ms('http'):.2f} ms of CPU per flow, its events to Kafka included;"
            f" limiter: {stack.settings.notification.notification_rate_limit} per customer, each customer once"
        ],
    )


async def _measure(smtp: int, url: str, service: psutil.Process, seconds: float, progress: Progress) -> InTurns:
    """By "smtp" and "http"."""
    async with _by_smtp(smtp) as bare, _by_http(url) as http:
        return await in_turns("flows", {"smtp": bare, "http": http}, seconds, service, progress)


@contextlib.asynccontextmanager
async def _by_smtp(port: int) -> AsyncIterator[list[Call]]:
    """The same mails by the same client, without anything around them."""
    provider = MailProvider("127.0.0.1", port, 5.0)

    async def send() -> None:
        await provider.deliver(Delivery(uuid.uuid4(), "customer@shop.example", "Your order", "Text", "order"))

    try:
        yield [send] * CLIENTS
    finally:
        await provider.close()


@contextlib.asynccontextmanager
async def _by_http(url: str) -> AsyncIterator[list[Call]]:
    customers = itertools.count(1)
    async with posting(url) as post:

        async def flow() -> None:
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

        yield [flow] * CLIENTS


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


BENCHMARK = Benchmark(
    "notification-api",
    "notifications made and sent/s, limiter included, by HTTP against bare SMTP",
    ("postgres", "redis", "kafka"),
    run,
)
