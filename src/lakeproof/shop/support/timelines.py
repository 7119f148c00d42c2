"""Timelines of cases: from the cache where that may be, else collected; who asks at the same time shares one."""

import asyncio
import time
from typing import Any

from lakeproof.shop.support.cache import TimelineCache
from lakeproof.shop.support.metrics import SupportMetrics
from lakeproof.shop.support.models import Case
from lakeproof.shop.support.sources import Sources
from lakeproof.shop.support.timeline import Remote, timeline_of


class Timelines:
    """What the routes ask."""

    def __init__(self, sources: Sources, cache: TimelineCache, metrics: SupportMetrics) -> None:
        self._sources, self._cache, self._metrics = sources, cache, metrics
        self._under_way: dict[tuple[int, str], asyncio.Task[Remote]] = {}

    async def of(self, case: Case) -> dict[str, Any]:
        """The case's timeline; it ends in about the time of its slowest source, at most that source's limit."""
        if case.order_id is None:
            return timeline_of(case, None, "none")
        started = time.perf_counter()
        kept, generation = await self._cache.read(case.order_id)
        if kept is not None:
            self._metrics.collect_seconds.labels("cache").observe(time.perf_counter() - started)
            return timeline_of(case, kept, "cache")
        return timeline_of(case, await self._shared(case.order_id, generation), "remote")

    async def refresh(self, case: Case) -> dict[str, Any]:
        """The same, asked anew; nothing that was collected before is served afterwards."""
        if case.order_id is None:
            return timeline_of(case, None, "none")
        await self._cache.invalidate([case.order_id])
        _, generation = await self._cache.read(case.order_id)
        return timeline_of(case, await self._shared(case.order_id, generation), "remote")

    async def _shared(self, order_id: int, generation: str | None) -> Remote:
        """Collect, or wait for who does it in the same generation: that began after the last known change."""
        if generation is None:
            return await self._collect(order_id, None)
        name = (order_id, generation)
        task = self._under_way.get(name)
        if task is None:
            task = asyncio.create_task(self._collect(order_id, generation))
            self._under_way[name] = task
            task.add_done_callback(lambda _: self._under_way.pop(name, None))
        return await asyncio.shield(task)  # a caller who hangs up does not end it for the others

    async def _collect(self, order_id: int, generation: str | None) -> Remote:
        started = time.perf_counter()
        remote = await self._sources.collect(order_id)
        self._metrics.collect_seconds.labels("remote").observe(time.perf_counter() - started)
        await self._cache.write(order_id, remote, generation)
        return remote
