"""Hears of changes of orders, payments and fulfillments from Kafka, so that no older timeline is served after them.

Payments and fulfillments tell by their outbox (`events.…`), orders by change capture. A message is committed once the
cache took what it means; until then it is tried again. Each of these ways may stand still (a paused connector, a
relay without Kafka): how old a timeline may be does not rest on them, the cache keeps none for longer (cache.py).
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import orjson

from lakeproof.lake.capture.connector import connectors
from lakeproof.lake.capture.heartbeat import beat_in
from lakeproof.services.event_consumer import Record
from lakeproof.shop.support.cache import TimelineCache
from lakeproof.stack.topics import CDC_TOPIC, event_topic

GROUP = "support-timeline"
TOPICS = (CDC_TOPIC, event_topic("payment"), event_topic("fulfillment"))
BATCH = 500
GATHER_SECONDS = 0.25  # what comes together is one word to Redis and one commit
PAUSE_SECONDS = 1.0
BEHIND_SECONDS = 10.0
CAPTURE = next(one for one in connectors().values() if one.topic == CDC_TOPIC)


def orders_of(messages: Iterable[tuple[str, bytes | None]]) -> set[int]:
    """The orders that (topic, value) messages are about; what is not understood is about none."""
    found: set[int] = set()
    for topic, value in messages:
        with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
            told = orjson.loads(value or b"{}")
            order_id = _captured(told) if topic == CDC_TOPIC else told["data"]["order_id"]
            if type(order_id) is int:
                found.add(order_id)
    return found


def _captured(told: dict[str, Any]) -> Any:
    """The order of a captured row: of an order itself, or of what belongs to one."""
    row = told.get("after") or told["before"]
    return row["id"] if told["source"]["table"] == "orders" else row["order_id"]


class Listener:
    """What the events mean to the cache, and whether they are taken in time. `clock`: seconds since 1970."""

    def __init__(self, cache: TimelineCache, *, clock: Callable[[], float] = time.time) -> None:
        self._cache, self._clock = cache, clock
        self._taking_since: float | None = None
        self._beat_us: int | None = None

    async def take(self, records: Sequence[Record]) -> None:
        """What is kept of the orders that they are about counts no more; what the cache does not take is tried
        again.
        """
        orders = orders_of((record.topic, record.value) for record in records)
        self._taking_since = self._clock()
        try:
            while not await self._cache.invalidate(orders):
                await asyncio.sleep(PAUSE_SECONDS)
        finally:
            self._taking_since = None
        beats = (beat_in(record.value, CAPTURE) for record in records if record.topic == CDC_TOPIC)
        self._beat_us = next((beat for beat in reversed([*beats]) if beat is not None), self._beat_us)

    @property
    def problem(self) -> str:
        """For /health: "" or how far behind it is; of change capture once it was heard, for a stack may have none."""
        now = self._clock()
        if self._taking_since is not None and now - self._taking_since > BEHIND_SECONDS:
            return f"behind: the cache has not taken events for {now - self._taking_since:.0f} s"
        if self._beat_us is not None and now - self._beat_us / 1e6 > BEHIND_SECONDS:
            return f"behind: nothing of the last {now - self._beat_us / 1e6:.0f} s came by change capture"
        return ""


async def settle_owed(cache: TimelineCache) -> None:
    """Until cancelled: what the cache did not take goes to it as soon as it works again."""
    while True:
        await cache.settle()
        await asyncio.sleep(PAUSE_SECONDS)
