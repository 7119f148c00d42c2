"""Inventory's outbox: the events that lie in the SKUs' partitions, sent to Kafka at least once, in each SKU's order.

It does what services/outbox.py does for the SQL stores. The events of a SKU are numbered 1, 2, 3 …; the column `sent`
holds the number up to which Kafka has them. `sent` is written once a second, and only after Kafka acknowledged. After
a crash in between, some events are sent again; consumers drop an `event_id` that they have seen. Events that this
process wrote are sent from memory, as far as there is room for them (unsent.py); all others are read from Cassandra.
While Kafka is away the events wait in their partitions (for a week), and nothing else stops.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from confluent_kafka import KafkaException

from lakeproof.deadline import Deadline
from lakeproof.stack.topics import event_topic
from lakeproof_shop.services.inventory import statements
from lakeproof_shop.services.inventory.events import row_of, time_of
from lakeproof_shop.services.inventory.statements import EVENTS_AT_ONCE
from lakeproof_shop.services.inventory.store import InventoryStore
from lakeproof_shop.serving.database.cassandra import Ring, Row
from lakeproof_shop.serving.database.errors import DatabaseTrouble
from lakeproof_shop.serving.event_delivery import EventDelivery, OutboxMetrics, message_of

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.2
LOOK_BEHIND_SECONDS = 5.0
MARK_SECONDS = 1.0  # after a crash, the events sent since the last mark are sent again
BATCH = 500
AT_ONCE = 5_000  # events of all SKUs in one delivery: well below the limit of the producer's queue
CALL_SECONDS = 5.0
CLOSE_SECONDS = 1.0  # requests under way end before it and the ring closes after it, all within stop_seconds
FAILED_PAUSE_SECONDS = 2.0
SKUS_AT_ONCE = 16


class StockRelay:
    """Sends stock's events: `run` until cancelled, then `close`. problem: why events cannot be sent now, or ""."""

    def __init__(self, ring: Ring, store: InventoryStore, bootstrap_servers: str, metrics: OutboxMetrics) -> None:
        self._ring, self._unsent, self._metrics = ring, store.events, metrics
        self._delivery = EventDelivery(
            bootstrap_servers, event_topic("inventory"), "lakeproof_shop.services.inventory.kafka"
        )
        self._marked: dict[str, int] = {}  # SKU → the `sent` in its partition, as last read or written here
        self._looked_at = self._marked_at = float("-inf")
        self.problem = ""

    async def run(self) -> None:
        """Send unsent events every LOOK_SECONDS, and look for events that are not in memory every
        LOOK_BEHIND_SECONDS. Trouble with the database or Kafka is retried.
        """
        while True:
            try:
                if time.monotonic() - self._looked_at >= LOOK_BEHIND_SECONDS:
                    await self._look_behind()
                await self._read_left_behind()
                await self._send()
                if time.monotonic() - self._marked_at >= MARK_SECONDS:
                    await self._mark()
                self._metrics.oldest.set(self._oldest_seconds())
                self.problem = ""
            except DatabaseTrouble as error:
                self._fail("database", f"the database: {error}")
            except (KafkaTrouble, KafkaException, BufferError) as error:
                self._fail("kafka", f"kafka: {error}")
            await asyncio.sleep(FAILED_PAUSE_SECONDS if self.problem else LOOK_SECONDS)

    async def close(self) -> None:
        """Give up a delivery under way, and write `sent` a last time. Events beyond it are sent again later."""
        self._delivery.stop()
        with contextlib.suppress(DatabaseTrouble):
            await self._mark(Deadline(CLOSE_SECONDS))

    async def _look_behind(self) -> None:
        """Learn which SKUs have events that are not in memory: of other instances, of an earlier process, or of a
        batch that Cassandra did not answer.
        """
        rows = await self._ring.read(statements.ALL_TOTALS, (), Deadline(CALL_SECONDS))
        for sku, *_, events, sent, _ in rows:
            self._marked[sku] = sent or 0
            self._unsent.learn(sku, events or 0, sent or 0)
        self._metrics.unsent.set(sum(self._unsent.left(row[0]) for row in rows))
        self._looked_at = time.monotonic()

    async def _read_left_behind(self) -> None:
        """Read the next events of SKUs that have more than is in memory, as far as there is room."""
        behind = self._unsent.behind(EVENTS_AT_ONCE)
        while behind and (many := min(SKUS_AT_ONCE, self._unsent.room // EVENTS_AT_ONCE)):
            part, behind = behind[:many], behind[many:]
            found = await asyncio.gather(*(self._events(sku) for sku in part))
            for sku, rows in zip(part, found, strict=True):
                self._unsent.add_read(sku, rows)

    async def _events(self, sku: str) -> list[Row]:
        return await self._ring.read(statements.EVENTS, (sku, self._unsent.end(sku)), Deadline(CALL_SECONDS))

    async def _send(self) -> None:
        """Send the next events of each SKU, in order. Raises: KafkaTrouble."""
        batch: dict[str, list[Row]] = {}
        taken = 0
        for sku in self._unsent.skus:
            # The producer's queue is bounded, so the events of many SKUs are sent in several deliveries.
            if taken >= AT_ONCE:
                break
            batch[sku] = self._unsent.next(sku, BATCH)
            taken += len(batch[sku])
        if not batch:
            return
        delivered, trouble = await asyncio.to_thread(self._deliver, batch)
        for sku, rows in batch.items():
            sent = self._unsent.sent(sku)
            upto = _unbroken([row[0] for row in rows], delivered.get(sku, set()), sent)
            self._metrics.sent.inc(upto - sent)
            self._unsent.note_sent(sku, upto)
        if trouble:
            raise KafkaTrouble(trouble)

    async def _mark(self, whole: Deadline | None = None) -> None:
        """Write `sent` of every SKU that moved. `whole`: one deadline for all writes; else each has its own."""
        ahead = {sku: sent for sku, sent in self._unsent.all_sent.items() if sent > self._marked.get(sku, 0)}
        limit = asyncio.Semaphore(SKUS_AT_ONCE)

        async def one(sku: str, sent: int) -> None:
            async with limit:
                await self._ring.write(statements.MARK_SENT, (sent, sku), whole or Deadline(CALL_SECONDS))
                self._marked[sku] = sent

        await asyncio.gather(*(one(sku, sent) for sku, sent in ahead.items()))
        self._marked_at = time.monotonic()

    def _deliver(self, batch: dict[str, list[Row]]) -> tuple[dict[str, set[int]], str]:
        """SKU → the numbers that Kafka acknowledged, and what went wrong with the other events. Runs in a thread."""
        acknowledged, trouble = self._delivery.deliver(
            ((sku, number), sku, message_of(row_of(sku, event_id, text)))
            for sku, rows in batch.items()
            for number, event_id, text in rows
        )
        delivered: dict[str, set[int]] = {sku: set() for sku in batch}
        for sku, number in acknowledged:
            delivered[sku].add(number)
        return delivered, trouble

    def _fail(self, stage: str, problem: str) -> None:
        if problem != self.problem:
            logger.warning("events wait", extra={"stage": stage, "reason": problem})
        self.problem = problem
        self._metrics.failures.labels(stage).inc()
        self._metrics.oldest.set(self._oldest_seconds())

    def _oldest_seconds(self) -> float:
        oldest = min((time_of(row[2]) for row in self._unsent.firsts), default=None)
        return 0.0 if oldest is None else max(0.0, (datetime.now(UTC) - oldest).total_seconds())


class KafkaTrouble(Exception):
    """Events that Kafka did not take."""


def _unbroken(numbers: Sequence[int], delivered: set[int], sent: int) -> int:
    """The last number up to which all events were delivered."""
    upto = sent
    for number in numbers:
        if number not in delivered:
            break
        upto = number
    return upto
