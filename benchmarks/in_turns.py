"""Several ways to do the same, in turns (SQL, HTTP, SQL, HTTP …), so that a busy machine hits all of them."""

import functools
import statistics
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import psutil

from benchmarks.benchmark import Progress
from benchmarks.closed_loop import Call, closed_loop
from benchmarks.posting import Post, posting
from lakeproof_shop.customers.shoppers.report import percentiles_ms
from lakeproof_shop.serving.database.pool import Closable

CLIENTS = 16
ROUNDS = 4
WARM_SECONDS = 2.0


@dataclass(frozen=True)
class InTurns:
    """The measurements.

    what: what a call does, in the plural.
    rounds: for each way, the calls per second of each round and the seconds of each of its calls.
    round_seconds: the length of a round.
    cpu_seconds, rss_bytes: the service's CPU time over all rounds of all ways, and its memory at the end.
    """

    what: str
    rounds: Mapping[str, list[tuple[float, list[float]]]]
    round_seconds: float
    cpu_seconds: float
    rss_bytes: int

    def rate(self, way: str) -> float:
        """Calls per second of that way: the median of its rounds."""
        return statistics.median(rate for rate, _ in self.rounds[way])

    def percentiles_ms(self, way: str) -> dict[str, float]:
        """The percentiles of all calls in all rounds of that way."""
        return percentiles_ms([call for _, calls in self.rounds[way] for call in calls])

    def cpu_ms(self, way: str) -> float:
        """The service's CPU time per call of that way; right only where no other way calls the service."""
        return self.cpu_seconds / sum(len(calls) for _, calls in self.rounds[way]) * 1000

    def told(self, what: str) -> str:
        """A title for the table of `rows`."""
        return f"{what}, {CLIENTS} clients, {ROUNDS} rounds of {self.round_seconds:g} s each"

    def of_service(self, pool_size: int, each: str) -> str:
        """The service's memory and CPU time in words. each: what one call by "http" does."""
        return (
            f"service: one worker, pool of {pool_size}, {self.rss_bytes / 2**20:.0f} MiB after the run,"
            f" {self.cpu_ms('http'):.2f} ms of CPU per {each}"
        )

    def rows(self) -> list[dict[str, Any]]:
        """One table row for each way."""
        return [
            {
                "by": way,
                f"{self.what}_per_second": round(self.rate(way), 1),
                "lowest_round": round(min(rate for rate, _ in found), 1),
                "highest_round": round(max(rate for rate, _ in found), 1),
                **{f"{name}_ms": value for name, value in self.percentiles_ms(way).items()},
            }
            for way, found in self.rounds.items()
        ]


async def in_turns(
    what: str, ways: Mapping[str, list[Call]], seconds: float, service: psutil.Process, progress: Progress
) -> InTurns:
    """Warm each way up, then run ROUNDS rounds, in each of them every way for `seconds`.

    what: what a call does, in the plural. service: the process whose CPU time and memory are measured.

    Raises: what a call raises.
    """
    for way, clients in ways.items():
        progress(f"warming {way}, {WARM_SECONDS:g} s")
        await closed_loop(clients, WARM_SECONDS)
    rounds: dict[str, list[tuple[float, list[float]]]] = {way: [] for way in ways}
    before = cpu_seconds(service)
    for number in range(1, ROUNDS + 1):
        for way, clients in ways.items():
            rate, calls = await closed_loop(clients, seconds)
            rounds[way].append((rate, calls))
            progress(f"round {number} of {ROUNDS}: {way} {rate:.0f} {what}/s")
    return InTurns(what, rounds, seconds, cpu_seconds(service) - before, service.memory_info().rss)


def cpu_seconds(service: psutil.Process) -> float:
    """The CPU time of the process since it started, without its children."""
    times = service.cpu_times()
    return float(times.user + times.system)


@asynccontextmanager
async def on_own_connections[C: Closable](
    connect: Callable[[], Awaitable[C]], call: Callable[[C], Awaitable[None]]
) -> AsyncIterator[list[Call]]:
    """The calls of a service's peer: CLIENTS clients, each with a database connection of its own."""
    connections = [await connect() for _ in range(CLIENTS)]
    try:
        yield [functools.partial(call, connection) for connection in connections]
    finally:
        for connection in connections:
            connection.close()


@asynccontextmanager
async def by_http(url: str, call: Callable[[Post], Awaitable[None]]) -> AsyncIterator[list[Call]]:
    """The calls of CLIENTS clients of the service at `url`."""
    async with posting(url) as post:
        yield [functools.partial(call, post)] * CLIENTS
