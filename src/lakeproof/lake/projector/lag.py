"""How far behind the projection is: in records by the group's committed offsets, in seconds by what it covers.

Both are of the whole group, so every instance tells the same, and neither needs the reader to be well.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # re-exported without saying so
    AdminClient,
    OffsetSpec,
)

from lakeproof.deadline import Deadline
from lakeproof.lake.projector import statements
from lakeproof.lake.projector.metrics import ProjectorMetrics
from lakeproof.shop.database.cassandra import Ring, Row
from lakeproof.shop.database.errors import DatabaseTrouble

logger = logging.getLogger(__name__)

EVERY_SECONDS = 1.0
ASK_SECONDS = 2.0
READ_SECONDS = 1.0


def covered_us(rows: Sequence[Row], parts: int) -> int | None:
    """What the whole projection covers: the least of its parts; None while one of them has told nothing yet."""
    return min(int(row[1]) for row in rows) if len(rows) >= parts else None


def records_behind(ends: Mapping[int, int], begins: Mapping[int, int], done: Mapping[int, int]) -> int:
    """By partition: where the topic ends and begins, and up to where the group is done (absent: nothing yet)."""
    return sum(max(0, end - max(done.get(part, 0), begins.get(part, 0))) for part, end in ends.items())


class Lag:
    """`run` until cancelled: sets the two gauges once a second."""

    def __init__(
        self,
        ring: Ring,
        metrics: ProjectorMetrics,
        admin: AdminClient,
        *,
        topic: str,
        parts: int,
        group: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._ring, self._metrics, self._admin, self._clock = ring, metrics, admin, clock
        self._topic, self._parts, self._group = topic, parts, group
        self._covered_us: int | None = None

    async def run(self) -> None:
        """What cannot be looked at now keeps its last value: the seconds go on growing."""
        while True:
            await asyncio.gather(self._records(), self._seconds(), asyncio.sleep(EVERY_SECONDS))

    async def _seconds(self) -> None:
        try:
            rows = await self._ring.read(statements.PROGRESS, (statements.PROJECTION,), Deadline(READ_SECONDS))
            self._covered_us = covered_us(rows, self._parts)
        except DatabaseTrouble as error:
            logger.debug("what is covered was not read", extra={"reason": str(error)})
        if self._covered_us is not None:
            self._metrics.lag_seconds.set(max(0.0, self._clock() - self._covered_us / 1e6))

    async def _records(self) -> None:
        try:
            self._metrics.lag_records.set(await asyncio.to_thread(self._count))
        except (KafkaException, TimeoutError) as error:
            logger.debug("the topic was not measured", extra={"reason": str(error)})

    def _count(self) -> int:
        places = [TopicPartition(self._topic, part) for part in range(self._parts)]
        latest, earliest = OffsetSpec.latest(), OffsetSpec.earliest()  # type: ignore[no-untyped-call]
        ends = self._admin.list_offsets(dict.fromkeys(places, latest), request_timeout=ASK_SECONDS)
        begins = self._admin.list_offsets(dict.fromkeys(places, earliest), request_timeout=ASK_SECONDS)
        asked = self._admin.list_consumer_group_offsets(
            [ConsumerGroupTopicPartitions(self._group, places)], request_timeout=ASK_SECONDS
        )
        done = asked[self._group].result(timeout=ASK_SECONDS).topic_partitions or []
        return records_behind(
            {one.partition: found.result(timeout=ASK_SECONDS).offset for one, found in ends.items()},
            {one.partition: found.result(timeout=ASK_SECONDS).offset for one, found in begins.items()},
            {one.partition: one.offset for one in done if one.offset >= 0},
        )
