"""How far behind the projection is: in records by the group's committed offsets, in seconds by what it covers.

Both figures are of the whole group, so every instance tells the same. Neither needs a reader of records that works.
"""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence

from confluent_kafka import Consumer, KafkaException, TopicPartition

from lakeproof.deadline import Deadline
from lakeproof_shop.projector import statements
from lakeproof_shop.projector.metrics import ProjectorMetrics
from lakeproof_shop.serving.database.cassandra import Ring, Row
from lakeproof_shop.serving.database.errors import DatabaseTrouble

logger = logging.getLogger(__name__)

EVERY_SECONDS = 1.0
ASK_SECONDS = 2.0
READ_SECONDS = 1.0


def covered_us(rows: Sequence[Row], parts: int) -> int | None:
    """The time that the whole projection covers, in UNIX µs: the least of its partitions' times. None until each of
    the partitions has told one.
    """
    return min(int(row[1]) for row in rows) if len(rows) >= parts else None


def records_behind(ends: Mapping[int, int], begins: Mapping[int, int], done: Mapping[int, int]) -> int:
    """The records that the group is not done with. By partition: where the topic ends and begins, and up to where the
    group is done (absent: nothing yet).
    """
    return sum(max(0, end - max(done.get(part, 0), begins.get(part, 0))) for part, end in ends.items())


class Lag:
    """`run` until cancelled: sets the two gauges once a second.

    asking: a consumer of the group, subscribed to nothing, and used by nobody else. Not an AdminClient: asked for the
    offsets of a group whose coordinator is still starting, it ended the process with SIGSEGV (inside librdkafka).
    """

    def __init__(
        self,
        ring: Ring,
        metrics: ProjectorMetrics,
        asking: Consumer,
        *,
        topic: str,
        parts: int,
    ) -> None:
        self._ring, self._metrics, self._asking = ring, metrics, asking
        self._topic, self._parts = topic, parts
        self._covered_us: int | None = None

    async def run(self) -> None:
        """Without an answer of Kafka's the records keep their last value; without the ring's the seconds grow."""
        while True:
            await asyncio.gather(self._records(), self._seconds(), asyncio.sleep(EVERY_SECONDS))

    async def _seconds(self) -> None:
        try:
            rows = await self._ring.read(statements.PROGRESS, (statements.PROJECTION,), Deadline(READ_SECONDS))
            self._covered_us = covered_us(rows, self._parts)
        except DatabaseTrouble as error:
            logger.debug("what is covered was not read", extra={"reason": str(error)})
        if self._covered_us is not None:
            self._metrics.lag_seconds.set(max(0.0, time.time() - self._covered_us / 1e6))

    async def _records(self) -> None:
        try:
            self._metrics.lag_records.set(await asyncio.to_thread(self._count))
        except (KafkaException, TypeError) as error:  # the client gives None for bounds that did not come in time
            logger.debug("the topic was not measured", extra={"reason": str(error)})

    def _count(self) -> int:
        places = [TopicPartition(self._topic, part) for part in range(self._parts)]
        done = {one.partition: one.offset for one in self._asking.committed(places, timeout=ASK_SECONDS)}
        bounds = {one.partition: self._asking.get_watermark_offsets(one, timeout=ASK_SECONDS) for one in places}
        return records_behind(
            {part: end for part, (_, end) in bounds.items()},
            {part: begin for part, (begin, _) in bounds.items()},
            {part: offset for part, offset in done.items() if offset >= 0},
        )
