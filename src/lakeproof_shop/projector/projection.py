"""Writes records into the projection. Whatever comes twice, late, or by two projectors at once changes nothing.

Cassandra itself keeps the newest row: every write carries a stamp by the source's order (records.py), so no write
needs a read before it or a condition.
"""

import asyncio
import itertools
import logging
from collections import OrderedDict
from collections.abc import Iterable, Sequence

from lakeproof.deadline import Deadline
from lakeproof_shop.projector import statements
from lakeproof_shop.projector.metrics import ProjectorMetrics
from lakeproof_shop.projector.records import BeatRecord, OrderRecord, Unreadable, microseconds, read_record
from lakeproof_shop.serving.database.cassandra import Ring, Statement
from lakeproof_shop.serving.database.errors import DatabaseTrouble
from lakeproof_shop.serving.event_consumer import Record

logger = logging.getLogger(__name__)

AT_A_TIME = 20  # rows of one call: two or three calls for what comes in a tenth of a second
AT_ONCE = 8  # calls
WRITE_SECONDS = 6.0
AGAIN_SECONDS = 1.0
REMEMBERED = 20_000
KEPT_BYTES = 65_536

type Key = tuple[int, int]
type Write = tuple[Statement, Sequence[object]]


def newest(records: Iterable[OrderRecord]) -> dict[Key, OrderRecord]:
    """Order → its record with the highest stamp; of two with the same stamp the later one."""
    found: dict[Key, OrderRecord] = {}
    for record in records:
        known = found.get(record.key)
        if known is None or record.stamp >= known.stamp:
            found[record.key] = record
    return found


class Projection:
    """`take` is what EventConsumer hands its batches to. `problem`: why it waits; "" while it does not."""

    def __init__(self, ring: Ring, metrics: ProjectorMetrics) -> None:
        self._ring, self._metrics = ring, metrics
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._written: OrderedDict[Key, int] = OrderedDict()
        self.problem = ""

    async def take(self, records: Sequence[Record]) -> None:
        """Write the records. All of them are in Cassandra when this returns; it does not give up.

        Rows come first, then the time that they cover: after a crash in between the projection claims too little.
        """
        rows: list[OrderRecord] = []
        beats: dict[int, int] = {}
        aside: list[tuple[Record, str]] = []
        for record in records:
            try:
                said = read_record(record.value)
            except Unreadable as error:
                aside.append((record, str(error)))
                continue
            if isinstance(said, BeatRecord):
                beats[record.partition] = max(said.beat_us, beats.get(record.partition, 0))
                self._metrics.records.labels("beat").inc()
            else:
                rows.append(said)
        kept = newest(rows)
        self._metrics.records.labels("superseded").inc(len(rows) - len(kept))
        for record, why in aside:
            await self._set_aside(record, why)
        await self._write_all([_write_of(row) for row in kept.values()])
        self._count(kept.values())
        await self._write_all(
            [
                (statements.SET_COVERED, (statements.PROJECTION, part, covers_us, covers_us))
                for part, covers_us in beats.items()
            ]
        )

    def _count(self, rows: Iterable[OrderRecord]) -> None:
        for row in rows:
            is_new = row.stamp > self._written.get(row.key, -1)
            self._metrics.records.labels("written" if is_new else "replayed").inc()
            if is_new:
                self._written[row.key] = row.stamp
                self._written.move_to_end(row.key)
                if len(self._written) > REMEMBERED:
                    self._written.popitem(last=False)

    async def _set_aside(self, record: Record, why: str) -> None:
        self._metrics.records.labels("poison").inc()
        logger.error(
            "record set aside",
            extra={"topic": record.topic, "partition": record.partition, "offset": record.offset, "why": why[:300]},
        )
        value = (record.value or b"")[:KEPT_BYTES]
        await self._insist(
            [(statements.SET_ASIDE, (record.topic, record.partition, record.offset, why[:300], value))]
        )

    async def _write_all(self, writes: Sequence[Write]) -> None:
        async with asyncio.TaskGroup() as group:
            for few in itertools.batched(writes, AT_A_TIME):
                group.create_task(self._insist(few))

    async def _insist(self, writes: Sequence[Write]) -> None:
        """Write until the ring has them. Each of these writes may be repeated, so one of unclear outcome is."""
        async with self._gate:
            while True:
                try:
                    await self._ring.write_all(writes, Deadline(WRITE_SECONDS))
                except DatabaseTrouble as error:
                    if self.problem != str(error):
                        logger.warning("records wait for Cassandra", extra={"reason": str(error)})
                    self.problem = str(error)
                    await asyncio.sleep(AGAIN_SECONDS)
                else:
                    self.problem = ""
                    return


def _write_of(row: OrderRecord) -> Write:
    if row.op == "delete":
        return statements.DELETE, (row.stamp, row.customer_id, row.id)
    return statements.UPSERT, (
        row.customer_id,
        row.id,
        row.status,
        row.total,
        row.item_count,
        row.version,
        microseconds(row.created_at),
        microseconds(row.updated_at),
        row.stamp,
    )
