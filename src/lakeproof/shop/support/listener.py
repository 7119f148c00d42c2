"""Hears of changes of orders, payments and fulfillments from Kafka, so that no older timeline is served after them.

Payments and fulfillments tell by their outbox (`events.…`), orders by change capture. A message is committed once the
cache took what it means; until then it is tried again. Without Kafka a timeline is as old as its TTL at most.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from lakeproof.lake.capture.topics import CDC_TOPIC
from lakeproof.shop.event_consumer import Record
from lakeproof.shop.support.cache import TimelineCache
from lakeproof.shop.topics import event_topic

GROUP = "support-timeline"
TOPICS = (CDC_TOPIC, event_topic("payment"), event_topic("fulfillment"))
BATCH = 500
GATHER_SECONDS = 0.25  # what comes together is one word to Redis and one commit
PAUSE_SECONDS = 1.0


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


async def take_events(cache: TimelineCache, records: Sequence[Record]) -> None:
    """What is kept of the orders that they are about counts no more; what the cache does not take is tried again."""
    orders = orders_of((record.topic, record.value) for record in records)
    while not await cache.invalidate(orders):
        await asyncio.sleep(PAUSE_SECONDS)


async def settle_owed(cache: TimelineCache) -> None:
    """Until cancelled: what the cache did not take goes to it as soon as it works again."""
    while True:
        await cache.settle()
        await asyncio.sleep(PAUSE_SECONDS)
