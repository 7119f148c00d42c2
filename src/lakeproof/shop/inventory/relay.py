"""Inventory's outbox: the events that lie in the SKUs' partitions, sent to Kafka at least once, in each SKU's order.

The sister of shop/outbox.py for Cassandra. An event's number grows by one in its SKU; `sent` says how far Kafka has
them, and moves only after Kafka acknowledged. A crash in between sends some again: consumers drop an `event_id` that
they had. While Kafka is away events wait in their partitions (for a week), and nothing else stops.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

from confluent_kafka import KafkaError, Message, Producer

from lakeproof.deadline import Deadline
from lakeproof.shop.database.cassandra import Ring, Row
from lakeproof.shop.database.errors import DatabaseTrouble
from lakeproof.shop.inventory import statements
from lakeproof.shop.inventory.events import row_of
from lakeproof.shop.inventory.store import InventoryStore
from lakeproof.shop.outbox import OutboxMetrics, message_of
from lakeproof.shop.topics import event_topic

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.2
WHOLE_SECONDS = 5.0  # what other instances, or a process before this one, left behind
CALL_SECONDS = 5.0
DELIVERY_SECONDS = 8.0
FAILED_PAUSE_SECONDS = 2.0
SKUS_AT_ONCE = 16


class StockRelay:
    """`run` until cancelled. `problem`: "" or why events do not get away."""

    def __init__(self, ring: Ring, store: InventoryStore, bootstrap_servers: str, metrics: OutboxMetrics) -> None:
        self._ring, self._store, self._metrics = ring, store, metrics
        self._bootstrap_servers, self._topic = bootstrap_servers, event_topic("inventory")
        self._producer: Producer | None = None
        self._sent: dict[str, int] = {}
        self._whole_at = float("-inf")
        self.problem = ""

    async def run(self) -> None:
        """Send what is new, and every WHOLE_SECONDS what was left behind; trouble is tried again."""
        while True:
            skus = list(self._store.changed)[:SKUS_AT_ONCE]
            try:
                if time.monotonic() - self._whole_at >= WHOLE_SECONDS:
                    skus = await self._behind()
                if skus:
                    await self._send(skus)
                self.problem = ""
            except DatabaseTrouble as error:
                self._fail("database", f"the database: {error}")
            except KafkaTrouble as error:
                self._fail("kafka", f"kafka: {error}")
            await asyncio.sleep(FAILED_PAUSE_SECONDS if self.problem else 0 if self._store.changed else LOOK_SECONDS)

    async def _behind(self) -> list[str]:
        rows = await self._ring.read(statements.ALL_TOTALS, (), Deadline(CALL_SECONDS))
        self._sent = {row[0]: row[7] or 0 for row in rows}
        unsent = {row[0]: (row[6] or 0) - (row[7] or 0) for row in rows}
        self._metrics.unsent.set(sum(max(0, count) for count in unsent.values()))
        self._whole_at = time.monotonic()
        self._store.changed |= {sku for sku, count in unsent.items() if count > 0}
        return list(self._store.changed)[:SKUS_AT_ONCE]

    async def _send(self, skus: Sequence[str]) -> None:
        """All new events of these SKUs, each SKU's in order. Raises: DatabaseTrouble, KafkaTrouble."""
        self._store.changed -= set(skus)  # before the look: what comes after it must be seen again
        found = await asyncio.gather(*(self._events(sku) for sku in skus))
        events = {sku: rows for sku, rows in zip(skus, found, strict=True) if rows}
        delivered, trouble = await asyncio.to_thread(self._deliver, events)
        for sku, rows in events.items():
            upto = _unbroken([row[0] for row in rows], delivered.get(sku, set()), self._sent.get(sku, 0))
            if upto > self._sent.get(sku, 0):
                await self._ring.write(statements.MARK_SENT, (upto, sku), Deadline(CALL_SECONDS))
                self._metrics.sent.inc(upto - self._sent.get(sku, 0))
                self._sent[sku] = upto
        self._store.changed |= events.keys()  # there may be more of them
        if trouble:
            raise KafkaTrouble(trouble)

    async def _events(self, sku: str) -> list[Row]:
        return await self._ring.read(statements.EVENTS, (sku, self._sent.get(sku, 0)), Deadline(CALL_SECONDS))

    def _deliver(self, events: dict[str, list[Row]]) -> tuple[dict[str, set[int]], str]:
        """By SKU the numbers that Kafka acknowledged, and what went wrong with the others. Runs in a thread."""
        producer = self._open_producer()
        delivered: dict[str, set[int]] = {sku: set() for sku in events}
        failures: list[KafkaError] = []
        wanted = 0

        def note(sku: str, number: int) -> Callable[[KafkaError | None, Message], None]:
            def on_delivery(error: KafkaError | None, _: Message) -> None:
                if error is None:
                    delivered[sku].add(number)
                else:
                    failures.append(error)

            return on_delivery

        for sku, rows in events.items():
            for number, event_id, text in rows:
                message = message_of(row_of(sku, event_id, text))
                producer.produce(self._topic, message, sku.encode(), on_delivery=note(sku, number))
                wanted += 1
        deadline = Deadline(DELIVERY_SECONDS + 2.0)
        while sum(map(len, delivered.values())) + len(failures) < wanted and not deadline.expired:
            producer.poll(0.05)
        missing = wanted - sum(map(len, delivered.values()))
        if not missing:
            return delivered, ""
        if not failures or any(error.fatal() for error in failures):
            self._producer = None  # it sends nothing any more, or holds what nobody waits for
        said = failures[0].str() if failures else "no answer"
        return delivered, f"{missing} of {wanted} events were not taken ({said})"

    def _open_producer(self) -> Producer:
        if self._producer is None:
            self._producer = Producer(
                {
                    "bootstrap.servers": self._bootstrap_servers,
                    "enable.idempotence": True,
                    "acks": "all",
                    "linger.ms": 2,
                    "delivery.timeout.ms": round(DELIVERY_SECONDS * 1000),
                    "reconnect.backoff.max.ms": 2000,
                    "log.connection.close": False,
                },
                logger=logging.getLogger("lakeproof.shop.inventory.kafka"),
            )
        return self._producer

    def _fail(self, stage: str, problem: str) -> None:
        if problem != self.problem:
            logger.warning("events wait", extra={"stage": stage, "reason": problem})
        self.problem = problem
        self._metrics.failures.labels(stage).inc()


class KafkaTrouble(Exception):
    """Events that Kafka did not take."""


def _unbroken(numbers: Sequence[int], delivered: set[int], sent: int) -> int:
    """The last number up to which all were delivered."""
    upto = sent
    for number in numbers:
        if number not in delivered:
            break
        upto = number
    return upto
