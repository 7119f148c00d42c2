"""Writes records into the projection. Whatever comes twice, late, or by two projectors at once changes nothing.

Cassandra itself keeps the newest: every write carries the stamp of what the source ordered (records.py), so no read
comes before a write, and none of them is conditional.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Iterable, Sequence

from lakeproof.deadline import Deadline
from lakeproof.lake.projector import statements
from lakeproof.lake.projector.metrics import ProjectorMetrics
from lakeproof.lake.projector.records import BeatRecord, OrderRecord, Unreadable, microseconds, read_record
from lakeproof.shop.database.cassandra import Ring, Statement
from lakeproof.shop.database.errors import DatabaseTrouble
from lakeproof.shop.event_consumer import Record

logger = logging.getLogger(__name__)

AT_ONCE = 32
WRITE_SECONDS = 6.0
AGAIN_SECONDS = 1.0
REMEMBERED = 20_000
KEPT_BYTES = 65_536

type Key = tuple[int, int]


def newest(records: Iterable[OrderRecord]) -> dict[Key, OrderRecord]:
    """Of each order the record with the highest stamp; of two alike the later one."""
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
        """All of them are in Cassandra when this returns; it does not give up.

        Rows first, then what they cover: a crash between the two leaves it saying too little, never too much.
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
        await _all(self._set_aside(record, why) for record, why in aside)
        await _all(self._write(row) for row in kept.values())
        await _all(
            self._insist(statements.SET_COVERED, (statements.PROJECTION, part, covers_us, covers_us))
            for part, covers_us in beats.items()
        )

    async def _write(self, row: OrderRecord) -> None:
        if row.op == "delete":
            await self._insist(statements.DELETE, (row.stamp, row.customer_id, row.id))
        else:
            values = (
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
            await self._insist(statements.UPSERT, values)
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
        await self._insist(statements.SET_ASIDE, (record.topic, record.partition, record.offset, why[:300], value))

    async def _insist(self, statement: Statement, values: Sequence[object]) -> None:
        """Until the ring has it: every one of these writes may be repeated, so an unclear one is."""
        async with self._gate:
            while True:
                try:
                    await self._ring.write(statement, values, Deadline(WRITE_SECONDS))
                except DatabaseTrouble as error:
                    if self.problem != str(error):
                        logger.warning("records wait for Cassandra", extra={"reason": str(error)})
                    self.problem = str(error)
                    await asyncio.sleep(AGAIN_SECONDS)
                else:
                    self.problem = ""
                    return


async def _all(calls: Iterable[Awaitable[None]]) -> None:
    async with asyncio.TaskGroup() as group:
        for call in calls:
            group.create_task(_await(call))


async def _await(call: Awaitable[None]) -> None:
    await call
