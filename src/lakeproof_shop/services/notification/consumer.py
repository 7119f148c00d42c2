"""Turns other services' events into notifications. An event is done only once its notification is in the database.

An event that cannot be read is counted, named in the log by topic, partition and offset, and passed over, so that it
does not stop the events after it.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Mapping, Sequence

from lakeproof.deadline import Deadline
from lakeproof.stack.topics import CDC_TOPIC
from lakeproof_shop.services.notification.customers import Customers, NobodyAnswers
from lakeproof_shop.services.notification.event_store import Addressed, Dropped, EventStore
from lakeproof_shop.services.notification.incoming import (
    InvalidPayload,
    UnsupportedTopic,
    Wanted,
    event_id_of,
    read_event,
)
from lakeproof_shop.services.notification.leases import CONSUMED_KEPT_DAYS
from lakeproof_shop.services.notification.metrics import NotificationMetrics
from lakeproof_shop.services.notification.models import DropReason
from lakeproof_shop.serving.database.errors import DatabaseTrouble, SaidNo
from lakeproof_shop.serving.event_consumer import Record
from lakeproof_shop.serving.traces import traced

logger = logging.getLogger(__name__)

GROUP = "notification"
TAKE_SECONDS = 10.0
AGAIN_SECONDS = 1.0
DAY_SECONDS = 86_400.0


class EventReader:
    """Turns records into notifications. `wake` tells the workers that there is something to send."""

    def __init__(
        self, store: EventStore, customers: Customers, metrics: NotificationMetrics, wake: Callable[[], None]
    ) -> None:
        self._store, self._customers, self._metrics, self._wake = store, customers, metrics, wake
        self._orders_since = 0.0

    def begin(self, since: Mapping[str, float]) -> None:
        """Call this before the first record. since: topic → when it was first read, in seconds since 1970."""
        self._orders_since = since.get(CDC_TOPIC, 0.0)

    async def take(self, records: Sequence[Record]) -> None:
        """Turn records into notifications: they are all in the database when this returns. It does not give up.

        Each record is counted once, however often the database or the order service has to be asked.
        """
        dropped: list[Dropped] = []
        wanted = [(record, found) for record in records if (found := self._read(record, dropped)) is not None]
        addressed = [
            one for record, found in wanted if (one := await self._address(record, found, dropped)) is not None
        ]
        while addressed or dropped:
            try:
                if dropped:
                    await self._store.drop(dropped, Deadline(TAKE_SECONDS))
                if addressed and await self._store.take(addressed, Deadline(TAKE_SECONDS)):
                    self._wake()
                return
            except (DatabaseTrouble, SaidNo) as error:
                logger.warning("events wait for the database", extra={"reason": str(error)})
                await asyncio.sleep(AGAIN_SECONDS)

    def _read(self, record: Record, dropped: list[Dropped]) -> Wanted | None:
        try:
            # Of older events it is not known any more whether they were taken.
            known_since = time.time() - CONSUMED_KEPT_DAYS * DAY_SECONDS
            found = read_event(record.topic, record.value, max(self._orders_since, known_since))
        except InvalidPayload as error:
            self._pass_over(record, DropReason.INVALID_PAYLOAD, str(error), dropped)
            return None
        except UnsupportedTopic as error:
            self._pass_over(record, DropReason.UNSUPPORTED_TOPIC, str(error), dropped)
            return None
        if found is None:
            self._metrics.events.labels("of_no_interest").inc()
        return found

    async def _address(self, record: Record, found: Wanted, dropped: list[Dropped]) -> Addressed | None:
        if found.customer_id is not None:
            return Addressed(found, found.customer_id)
        assert found.order_id is not None
        with traced(found.trace_id):
            return await self._ask_whose(record, found, found.order_id, dropped)

    async def _ask_whose(
        self, record: Record, found: Wanted, order_id: int, dropped: list[Dropped]
    ) -> Addressed | None:
        while True:
            try:
                owner = await self._customers.of_order(order_id)
            except NobodyAnswers as error:
                logger.warning("events wait for the order service", extra={"reason": str(error)})
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            if isinstance(owner, DropReason):
                why = f"there is no order {order_id}"
                self._pass_over(record, owner, why, dropped, found.event_id)
                return None
            if owner.by_checkout and found.told_by_receipt:
                self._metrics.events.labels("of_no_interest").inc()
                return None
            return Addressed(found, owner.customer_id)

    def _pass_over(
        self,
        record: Record,
        reason: DropReason,
        why: str,
        dropped: list[Dropped],
        event_id: uuid.UUID | None = None,
    ) -> None:
        event_id = event_id or event_id_of(record.value)
        if event_id is not None:
            dropped.append(Dropped(event_id, record.topic, reason))
        self._metrics.dropped.labels(reason.value).inc()
        logger.warning(
            "event passed over",
            extra={
                "topic": record.topic,
                "partition": record.partition,
                "offset": record.offset,
                "reason": reason.value,
                "why": why[:300],
            },
        )
