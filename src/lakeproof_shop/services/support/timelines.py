"""The timelines of cases: from the cache, or collected from the services. Callers at one time share a collection."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from lakeproof_shop.services.support.cache import TimelineCache
from lakeproof_shop.services.support.metrics import SupportMetrics
from lakeproof_shop.services.support.models import Case
from lakeproof_shop.services.support.sources import Sources
from lakeproof_shop.services.support.timeline import Remote, timeline_of


@dataclass(frozen=True, slots=True)
class _Collection:
    """A collection that is under way; `began` is a reading of the monotonic clock."""

    task: asyncio.Task[Remote]
    began: float


class Timelines:
    """Gives the routes their timelines.

    No answer lacks a change that was committed more than the cache's `ttl_seconds` before the call.
    """

    def __init__(self, sources: Sources, cache: TimelineCache, metrics: SupportMetrics) -> None:
        self._sources, self._cache, self._metrics = sources, cache, metrics
        self._under_way: dict[tuple[int, str], _Collection] = {}

    async def of(self, case: Case) -> dict[str, Any]:
        """The case's timeline. It takes about as long as the slowest source, at most that source's time limit."""
        if case.order_id is None:
            return timeline_of(case, None, "none")
        started = time.perf_counter()
        kept, generation = await self._cache.read(case.order_id)
        if kept is not None:
            self._metrics.collect_seconds.labels("cache").observe(time.perf_counter() - started)
            return timeline_of(case, kept, "cache")
        return timeline_of(case, await self._shared(case.order_id, generation), "remote")

    async def refresh(self, case: Case) -> dict[str, Any]:
        """The case's timeline, collected anew. No collection that began before this call is served after it."""
        if case.order_id is None:
            return timeline_of(case, None, "none")
        await self._cache.invalidate(case.order_id)
        _, generation = await self._cache.read(case.order_id)
        return timeline_of(case, await self._shared(case.order_id, generation), "remote")

    async def _shared(self, order_id: int, generation: str | None) -> Remote:
        """Collect, or wait for a collection that another caller began in the same generation. Such a collection began
        after the last refresh; it is shared only while it is younger than a kept timeline may be.
        """
        if generation is None:
            return await self._collect(order_id, None)
        name, now = (order_id, generation), time.monotonic()
        collection = self._under_way.get(name)
        if collection is None or now - collection.began > self._cache.ttl_seconds:
            collection = _Collection(asyncio.create_task(self._collect(order_id, generation)), now)
            self._under_way[name] = collection
            collection.task.add_done_callback(lambda task: self._forget(name, task))
        return await asyncio.shield(collection.task)  # a caller who hangs up does not end the collection for others

    def _forget(self, name: tuple[int, str], task: asyncio.Task[Remote]) -> None:
        """Drop a collection that has ended, unless a newer one has taken its place."""
        if (collection := self._under_way.get(name)) is not None and collection.task is task:
            del self._under_way[name]

    async def _collect(self, order_id: int, generation: str | None) -> Remote:
        started = time.perf_counter()
        remote = await self._sources.collect(order_id)
        self._metrics.collect_seconds.labels("remote").observe(time.perf_counter() - started)
        await self._cache.write(order_id, remote, generation)
        return remote
