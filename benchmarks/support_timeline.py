"""support-timeline: timelines of 20 entries per second, from the cache and collected, at 16 clients.

Closed loop, in turns (bare, cached, collected, bare …), so that a busy machine hits all. "bare" is the peer: one
select of the case and one look into Redis on as many connections, without HTTP. The support service runs its real
code on a database of its own. For the services that it asks, one process answers at once (timeline_sources.py).
"""

import contextlib
import os
import tempfile
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import aiohttp
import httpx
import psutil

from benchmarks.benchmark import Benchmark, Options, Progress, Ratio, Result
from benchmarks.closed_loop import Call
from benchmarks.in_turns import CLIENTS, InTurns, in_turns, on_own_connections
from benchmarks.scratch_postgres import connect_to, scratch_postgres
from benchmarks.service_process import process_of, service_process
from lakeproof.errors import TerminalError
from lakeproof.stack.stack import Stack
from lakeproof_shop.customers.shoppers.traffic import in_new_loop
from lakeproof_shop.services.support.sources import SERVICES
from lakeproof_shop.services.support.store import SELECT_CASE
from lakeproof_shop.serving.database.postgres import Connection
from lakeproof_shop.serving.redis_connection import connect as connect_redis
from lakeproof_shop.serving.redis_connection import redis_url

ENTRIES = 20
SECONDS = 6.0
AIM_CACHED, AIM_COLLECTED = 3 * 242, 3 * 33  # three times a comparable public shop on this kind of machine
TTL_VARIABLE = "LAKEPROOF_SUPPORT__TIMELINE_CACHE_TTL_SECONDS"


def run(stack: Stack, options: Options, progress: Progress) -> Result:
    """Raises: TerminalError where a service does not start or a timeline is not as it should be."""
    seconds = options.seconds or SECONDS
    with contextlib.ExitStack() as running:
        database = running.enter_context(scratch_postgres(stack, "support"))
        folder = running.enter_context(tempfile.TemporaryDirectory(prefix="lakeproof-bench-"))
        place = f"{folder}:{database}"
        sources, _ = running.enter_context(process_of("timeline_sources"))
        with _environment({service.variable: sources for service in SERVICES}):
            # With the shipped settings: once the kept timeline has expired, one call collects it anew for all.
            cached, service = running.enter_context(service_process("support-service", place))
            with _environment({TTL_VARIABLE: "0"}):
                collected, _ = running.enter_context(service_process("support-service", place))
        case = _open_case(cached)
        urls = {"cached": cached, "collected": collected}
        done, kept = in_new_loop(_measure(stack, database, urls, case, seconds, service, progress))
    bare, from_cache, anew = done.rate("bare"), done.rate("cached"), done.rate("collected")
    return Result(
        "support-timeline",
        options,
        {done.told(f"timelines of {ENTRIES} entries"): done.rows()},
        [
            Ratio("cached timelines/s to bare reads/s", round(from_cache / bare, 3)),
            Ratio.at_least("cached timelines/s to three times the comparable shop's 242/s", from_cache, AIM_CACHED),
            Ratio.at_least("collected timelines/s to three times the comparable shop's 33/s", anew, AIM_COLLECTED),
        ],
        [
            f"service: one worker, {done.rss_bytes / 2**20:.0f} MiB after the run; its sources are one process",
            f"from the cache: {kept['cached']:.1%} of the cached, {kept['collected']:.1%} of the collected",
        ],
    )


@contextlib.contextmanager
def _environment(given: dict[str, str]) -> Iterator[None]:
    """Set environment variables for the processes that are started in the block."""
    before = {name: os.environ.get(name) for name in given}
    os.environ.update(given)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _open_case(url: str) -> str:
    """Open a case; gives the path of its timeline. Raises: TerminalError where that does not have ENTRIES entries."""
    order = int.from_bytes(os.urandom(6))  # an order that nobody has, so that its cached timeline is our own
    opened = httpx.post(
        f"{url}/support/cases",
        json={"customer_id": 42, "order_id": order, "subject": "benchmark"},
        headers={"Idempotency-Key": uuid.uuid4().hex},
        timeout=10.0,
    )
    path = f"/support/cases/{opened.json()['id']}?includeTimeline=true"
    timeline = httpx.get(url + path, timeout=10.0).json()["timeline"]
    if len(timeline["entries"]) != ENTRIES or not timeline["complete"]:
        raise TerminalError(f"{len(timeline['entries'])} entries, {timeline['sources']}", where=path)
    return path


async def _measure(
    stack: Stack,
    database: str,
    urls: dict[str, str],
    path: str,
    seconds: float,
    service: psutil.Process,
    progress: Progress,
) -> tuple[InTurns, dict[str, float]]:
    """Measure the ways "bare" and each of `urls`; gives also the share of each URL's timelines from the cache."""
    case_id = int(path.split("/")[3].partition("?")[0])
    async with _bare(stack, database, case_id) as bare, aiohttp.ClientSession() as session:
        kept: dict[str, Counter[bool]] = {how: Counter() for how in urls}
        ways = {"bare": bare} | {how: [_read(session, url + path, kept[how])] * CLIENTS for how, url in urls.items()}
        done = await in_turns("timelines", ways, seconds, service, progress)
    return done, {how: seen[True] / seen.total() for how, seen in kept.items()}


def _read(session: aiohttp.ClientSession, url: str, kept: Counter[bool]) -> Call:
    async def read() -> None:
        async with session.get(url) as answer:
            text = await answer.read()
            if answer.status != 200:
                raise TerminalError(f"{answer.status} {text[:300]!r}", where=url)
            kept[b'"came_from":"cache"' in text] += 1

    return read


@contextlib.asynccontextmanager
async def _bare(stack: Stack, database: str, case_id: int) -> AsyncIterator[list[Call]]:
    async def read(connection: Connection) -> None:
        await connection.fetch(SELECT_CASE, case_id)
        await redis.mget("support:timeline:0", "support:timeline-generation:0")

    async with (
        connect_redis(redis_url(stack), 5.0) as redis,
        on_own_connections(connect_to(stack, database), read) as clients,
    ):
        yield clients


BENCHMARK = Benchmark(
    "support-timeline", "timelines/s of 20 entries, cached and collected", ("postgres", "redis", "minio"), run
)
