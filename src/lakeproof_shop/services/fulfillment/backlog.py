"""The backlog: labels that are not ready, how many, how large, and how late the latest of them is.

The database counts every fulfillment whose label is not ready, written or not (so the backlog grows also while the
object store is away). A hold that was asked for with the order is the buyer's wish, and counts as a delay only from
its end on. Any other hold counts as a delay from its first moment on. The store counts the labels that the database
does not know as waiting: a rehearsal's (chaos/fulfillment-delay/), labels that somebody put there by hand, and labels
that a late worker left behind, which are tidied.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from lakeproof.deadline import Deadline
from lakeproof_shop.services.fulfillment.label import PENDING, fulfillment_of
from lakeproof_shop.services.fulfillment.label_store import LabelStore, ListedLabel, StoreDown, StoreRefused
from lakeproof_shop.services.fulfillment.leases import Leases
from lakeproof_shop.services.fulfillment.metrics import FulfillmentMetrics
from lakeproof_shop.serving.database.errors import DatabaseTrouble, SaidNo
from lakeproof_shop.serving.database.pool import ConnectionPool
from lakeproof_shop.serving.database.postgres import Connection, attempts_on

logger = logging.getLogger(__name__)

READ_SECONDS = 1.0
SHARE_OF_TIME = 10  # a pause lasts this many times as long as the reading before it
MAX_HEADS = 500  # labels unknown to the database whose metadata are read per round; the rest count without their hold

# `o` is the operation that made the fulfillment, where it asked for a hold: the buyer's wish (indexed in the schema).
# `oldest` in _WAITING is of the fulfillments that were never held.
_WISHED = (
    "fulfillments f LEFT JOIN fulfillment_operations o"
    " ON o.fulfillment_id = f.id AND o.version = 1 AND o.hold_until IS NOT NULL"
    " WHERE f.status IN ('requested', 'label_pending', 'label_ready')"
)
_WAITING = f"""
SELECT count(*) FILTER (WHERE f.status <> 'label_ready') AS objects,
       COALESCE(sum(f.label_bytes) FILTER (WHERE f.status <> 'label_ready'), 0)::bigint AS bytes,
       min(f.requested_at) FILTER (WHERE f.hold_until IS NULL AND o.hold_until IS NULL) AS oldest,
       now() AS now
FROM {_WISHED}
"""
_HELD = f"""
SELECT f.requested_at, f.hold_until, o.hold_until AS wished_until,
       (SELECT max(e.at) FROM fulfillment_events e WHERE e.fulfillment_id = f.id AND e.type = 'held') AS held_at
FROM {_WISHED} AND (f.hold_until IS NOT NULL OR o.hold_until IS NOT NULL)
"""
_STATES = "SELECT id, status, has_work FROM fulfillments WHERE id = ANY($1::bigint[])"
_OPEN = frozenset({"requested", "label_pending", "label_ready"})


@dataclass(frozen=True, slots=True)
class Waiting:
    """The count of one source, the database or the store. `late_seconds`: how late its latest label is."""

    objects: int = 0
    bytes: int = 0
    late_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Hold:
    """The hold of a fulfillment that waits, and is or was held.

    wished_until: the hold that was asked for with the order.
    held_at: when somebody last changed the hold, or let it go.
    """

    requested_at: datetime
    hold_until: datetime | None
    wished_until: datetime | None
    held_at: datetime | None

    def late_seconds(self, now: datetime) -> float:
        """How late the fulfillment is at `now`, or will be at the hold's end. The delay begins when the buyer's own
        wish ends: at its time, or at the moment when somebody cut it short.
        """
        wished = self.wished_until
        if wished is None and self.held_at is None:
            wished = self.hold_until  # a wish from the time before wishes were stored
        begins = self.requested_at
        if wished is not None:
            is_cut = self.held_at is not None and (self.hold_until is None or self.hold_until < wished)
            begins = max(begins, min(wished, self.held_at) if is_cut and self.held_at is not None else wished)
        return max(0.0, (max(now, self.hold_until or now) - begins).total_seconds())


def waiting_in_store(
    listed: list[ListedLabel], counted: frozenset[str], holds: Mapping[str, datetime | None], now: datetime
) -> Waiting:
    """The count of the listed labels, without those that the database counts (`counted`: their keys)."""
    others = [label for label in listed if label.key not in counted]
    late = [max(now, holds.get(label.key) or now) - label.modified_at for label in others]
    return Waiting(
        len(others),
        sum(label.size for label in others),
        max((delay.total_seconds() for delay in late), default=0.0),
    )


class Backlog:
    """Reads the database and the store again and again into the metrics. A source that does not answer keeps its last
    count. While the database does not answer, the lag is not shown (metrics.LagGauge).
    """

    def __init__(
        self, pool: ConnectionPool[Connection], labels: LabelStore, leases: Leases, metrics: FulfillmentMetrics
    ) -> None:
        self._attempts = attempts_on(pool, metrics.database)
        self._labels, self._leases, self._metrics = labels, leases, metrics
        self._known, self._others = Waiting(), Waiting()
        self._known_at = float("-inf")
        self._holds: dict[tuple[str, str], datetime | None] = {}  # by key and etag
        self._leftovers: frozenset[int] = frozenset()

    async def run(self) -> None:
        """Read until cancelled, each source in its own loop, so that one that hangs does not hold up the other."""
        await asyncio.gather(self._again(self._read_database), self._again(self._read_store))

    async def _again(self, read: Callable[[], Awaitable[None]]) -> None:
        while True:
            started, pause = time.monotonic(), READ_SECONDS
            try:
                await read()
                self._show()
                pause = max(READ_SECONDS, SHARE_OF_TIME * (time.monotonic() - started))
            except (DatabaseTrouble, SaidNo, StoreDown, StoreRefused) as error:
                logger.info("the backlog was not read", extra={"reason": str(error)})
            await asyncio.sleep(pause)

    def _show(self) -> None:
        both = (self._known, self._others)
        self._metrics.backlog_objects.set(sum(one.objects for one in both))
        self._metrics.backlog_bytes.set(sum(one.bytes for one in both))
        self._metrics.lag_minutes.show(round(max(one.late_seconds for one in both) / 60, 3), self._known_at)

    async def _read_database(self) -> None:
        """Raises: DatabaseTrouble."""

        async def read(connection: Connection) -> Waiting:
            (row,) = await connection.fetch(_WAITING)
            now, oldest = row["now"], row["oldest"]
            late = 0.0 if oldest is None else (now - oldest).total_seconds()
            holds = [
                Hold(one["requested_at"], one["hold_until"], one["wished_until"], one["held_at"])
                for one in await connection.fetch(_HELD)
            ]
            return Waiting(row["objects"], row["bytes"], max([late, *(hold.late_seconds(now) for hold in holds)]))

        self._known = await self._attempts.run(read, Deadline(2.0))
        self._known_at = time.monotonic()
        self._metrics.backlog_read_at.labels("database").set_to_current_time()

    async def _read_store(self) -> None:
        """Raises: StoreDown, StoreRefused, DatabaseTrouble."""
        listed = await self._labels.list_waiting()
        states = await self._states([found for label in listed if (found := fulfillment_of(label.key)) is not None])
        counted = frozenset(f"{PENDING}{found}" for found, (status, _) in states.items() if status in _OPEN)
        holds = await self._holds_of([label for label in listed if label.key not in counted])
        self._others = waiting_in_store(listed, counted, holds, datetime.now(UTC))
        self._metrics.backlog_read_at.labels("store").set_to_current_time()
        await self._tidy(states)

    async def _states(self, ids: list[int]) -> dict[int, tuple[str, bool]]:
        async def read(connection: Connection) -> dict[int, tuple[str, bool]]:
            return {row["id"]: (row["status"], row["has_work"]) for row in await connection.fetch(_STATES, ids)}

        return await self._attempts.run(read, Deadline(2.0)) if ids else {}

    async def _holds_of(self, others: list[ListedLabel]) -> dict[str, datetime | None]:
        known = {(label.key, label.etag): None for label in others}
        self._holds = {name: hold for name, hold in self._holds.items() if name in known}
        for label in [each for each in others if (each.key, each.etag) not in self._holds][:MAX_HEADS]:
            try:
                self._holds[label.key, label.etag] = await self._labels.hold_of(label.key)
            except StoreRefused as error:
                logger.warning("a label's hold cannot be read", extra={"key": label.key, "reason": str(error)})
                self._holds[label.key, label.etag] = None
        return {key: hold for (key, _), hold in self._holds.items()}

    async def _tidy(self, states: Mapping[int, tuple[str, bool]]) -> None:
        """Have the worker look again at fulfillments that are done but have a label under pending/. They must be seen
        in two rounds: in one round, the label may have been deleted right after the listing.
        """
        done = frozenset(
            found for found, (status, has_work) in states.items() if status not in _OPEN and not has_work
        )
        if done & self._leftovers:
            await self._leases.look_again(sorted(done & self._leftovers))
        self._leftovers = done
