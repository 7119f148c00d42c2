"""Hears of changes of orders, payments and fulfillments from Kafka, so that no older timeline is served after them.

Payments and fulfillments tell by their outbox (`events.…`), orders by change capture. A message is committed once the
cache took what it means; until then it is tried again. Without Kafka a timeline is as old as its TTL at most.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
from confluent_kafka import Consumer, KafkaError, KafkaException, Message

from lakeproof.lake.capture.topics import CDC_TOPIC
from lakeproof.shop.support.cache import TimelineCache
from lakeproof.shop.topics import event_topic

logger = logging.getLogger(__name__)

GROUP = "support-timeline"
TOPICS = (CDC_TOPIC, event_topic("payment"), event_topic("fulfillment"))
BATCH = 500
LOOK_SECONDS = 0.5
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


def open_consumer(bootstrap_servers: str) -> Consumer:
    """Reads on where the group has committed; without that, from now on."""
    last_said = ""

    def say_once(error: KafkaError) -> None:
        nonlocal last_said
        if error.str() != last_said:
            last_said = error.str()
            logger.warning("kafka does not answer", extra={"reason": last_said})

    return Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": GROUP,
            "enable.auto.commit": False,
            "auto.offset.reset": "latest",
            "isolation.level": "read_committed",
            "allow.auto.create.topics": False,
            "topic.metadata.refresh.interval.ms": 10_000,
            "reconnect.backoff.ms": 500,
            "reconnect.backoff.max.ms": 2000,
            "log.connection.close": False,
            "log_level": 2,  # it would say twenty times a second that it cannot connect
            "error_cb": say_once,
        }
    )


class Listener:
    """`run` until cancelled."""

    def __init__(self, make_consumer: Callable[[], Consumer], cache: TimelineCache) -> None:
        self._make_consumer, self._cache = make_consumer, cache
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="timeline events")

    async def run(self) -> None:
        """Listen; what Kafka or the cache does not do now is tried again."""
        loop = asyncio.get_running_loop()
        consumer = await loop.run_in_executor(self._thread, self._subscribed)
        try:
            while True:
                messages = await loop.run_in_executor(self._thread, consumer.consume, BATCH, LOOK_SECONDS)
                taken = [message for message in messages if message.error() is None]
                if taken:
                    await self._take(taken)
                    await loop.run_in_executor(self._thread, self._commit, consumer)
                elif messages:  # only errors: a topic that is not there yet, a broker that left
                    await asyncio.sleep(PAUSE_SECONDS)
        finally:
            self._thread.submit(consumer.close)
            self._thread.shutdown(wait=False)

    def _subscribed(self) -> Consumer:
        consumer = self._make_consumer()
        consumer.subscribe(list(TOPICS))
        return consumer

    async def _take(self, messages: Sequence[Message]) -> None:
        orders = orders_of((message.topic() or "", message.value()) for message in messages)
        while not await self._cache.invalidate(orders):
            await asyncio.sleep(PAUSE_SECONDS)

    def _commit(self, consumer: Consumer) -> None:
        try:
            consumer.commit(asynchronous=False)
        except KafkaException as error:  # they come again, which does no harm
            logger.warning("events were not committed", extra={"reason": str(error)})


async def settle_owed(cache: TimelineCache) -> None:
    """Until cancelled: what the cache did not take goes to it as soon as it works again."""
    while True:
        await cache.settle()
        await asyncio.sleep(PAUSE_SECONDS)
