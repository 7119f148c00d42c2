"""reservation-api: reservations per second by HTTP on one hot SKU and on fifty, against bare conditional writes.

The peer, in the same run: one writer that sends one conditional write after another to one row. That is the fastest
that Cassandra can do without putting several changes into one write (two writers on one row are slower together). The
SKUs are the benchmark's own, and its reservations expire.
"""

import asyncio
import uuid
from typing import Any

import psutil
import uvloop

from benchmarks.benchmark import Benchmark, Options, Progress, Ratio, Result
from benchmarks.closed_loop import Call, closed_loop
from benchmarks.in_turns import cpu_seconds
from benchmarks.posting import Post, posting
from lakeproof.deadline import Deadline
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.engines import cassandra_session
from lakeproof.stack.stack import Stack
from lakeproof_shop.customers.shoppers.report import percentiles_ms

NAME = "inventory-service"
MANY = 50
CLIENTS = (16, 50)
WARM_SECONDS = 5.0
SECONDS = 10.0
BARE_SECONDS = 5.0
PLENTY = 1_000_000
ROLE, SECRET = "inventory_service", "cassandra-inventory-service"


def run(stack: Stack, options: Options, progress: Progress) -> Result:
    """Raises: TerminalError where the service refuses a reservation."""
    seconds = options.seconds or SECONDS
    service = psutil.Process(SupervisorClient(stack).row(NAME).pid)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        rows = runner.run(_measure(stack, seconds, service, progress))
    bare = _bare(stack, progress)
    hot = max(row["reservations_per_second"] for row in rows if row["skus"] == 1)
    return Result(
        "reservation-api",
        options,
        {f"reservations of one unit, {seconds:g} s each": rows},
        [Ratio("reservations/s on one hot SKU to bare conditional writes/s on one row", round(hot / bare, 2))],
        [
            f"one writer by the driver alone, one conditional write after another on one row: {bare:.0f}/s",
            f"service: one worker, {service.memory_info().rss / 2**20:.0f} MiB after the run",
        ],
    )


async def _measure(stack: Stack, seconds: float, service: psutil.Process, progress: Progress) -> list[dict[str, Any]]:
    rows = []
    mark = uuid.uuid4().hex[:8]
    async with posting(stack.url(NAME)) as post:
        shop = _Shop(post)
        for skus in (1, MANY):
            names = [f"bench-{mark}-{skus}-{number}" for number in range(skus)]
            await asyncio.gather(*(shop.receive(name) for name in names))
            progress(f"warming {skus} SKUs, {WARM_SECONDS:g} s")
            await closed_loop([shop.buyer(names, index) for index in range(CLIENTS[0])], WARM_SECONDS)
            for clients in CLIENTS:
                before = cpu_seconds(service)
                rate, calls = await closed_loop([shop.buyer(names, index) for index in range(clients)], seconds)
                used = cpu_seconds(service) - before
                rows.append(
                    {
                        "skus": skus,
                        "clients": clients,
                        "reservations_per_second": round(rate, 1),
                        **{f"{name}_ms": value for name, value in percentiles_ms(calls).items()},
                        "service_cpu_ms": round(used / max(1, len(calls)) * 1000, 2),
                    }
                )
                progress(f"{skus} SKUs, {clients} clients: {rate:.0f} reservations/s")
    return rows


class _Shop:
    def __init__(self, post: Post) -> None:
        self._post = post

    async def receive(self, sku: str) -> None:
        await self._post(f"/stock/{sku}/receive", {"quantity": PLENTY}, 200)

    def buyer(self, skus: list[str], index: int) -> Call:
        turn = index

        async def reserve() -> None:
            nonlocal turn
            turn += 7
            lines = [{"sku": skus[turn % len(skus)], "quantity": 1}]
            await self._post("/reservations", {"order_key": "bench", "lines": lines}, 201)

        return reserve


def _bare(stack: Stack, progress: Progress) -> float:
    """The conditional writes per second of one writer on one row."""
    id_, done = uuid.uuid4(), 0
    with cassandra_session.session(stack, ROLE, stack.secret(SECRET), seconds=5.0) as ring:
        ring.execute("INSERT INTO inventory.requests (id, digest) VALUES (%s, '0') IF NOT EXISTS", (id_,))
        write = ring.prepare("UPDATE inventory.requests SET digest = ? WHERE id = ? IF digest = ?")
        deadline = Deadline(BARE_SECONDS)
        while not deadline.expired:
            ring.execute(write, (str(done + 1), id_, str(done)))
            done += 1
        rate = done / deadline.elapsed
    progress(f"bare conditional writes on one row: {rate:.0f}/s")
    return rate


BENCHMARK = Benchmark("reservation-api", "reservations/s on a hot SKU and on fifty", (NAME,), run)
