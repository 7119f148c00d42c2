"""The worker's side of the database: which worker has which row until when, and the outcome of each step.

Rows are leased: taken by FOR UPDATE SKIP LOCKED, so several instances share the work, and the rows of a killed worker
are free again when their lease ends. An outcome is written only where the lease still holds and the row has the
version at which it was taken; otherwise nothing is written, and the row is taken afresh.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from lakeproof.deadline import Deadline
from lakeproof_shop.services.fulfillment.events import RECORD_CHANGE
from lakeproof_shop.services.fulfillment.label import Label, make_label
from lakeproof_shop.services.fulfillment.metrics import FulfillmentMetrics
from lakeproof_shop.services.fulfillment.models import State
from lakeproof_shop.serving.database.pool import ConnectionPool
from lakeproof_shop.serving.database.postgres import Connection, Row, attempts_on

_TAKE = """
WITH due AS (
    SELECT id FROM fulfillments
    WHERE has_work AND due_at <= now() AND (lease_until IS NULL OR lease_until <= now())
    ORDER BY due_at
    LIMIT $3
    FOR UPDATE SKIP LOCKED
)
UPDATE fulfillments f
SET lease_owner = $1, lease_until = now() + make_interval(secs => $2::float8), attempts = attempts + 1
FROM due WHERE f.id = due.id
RETURNING f.*, now() AS taken_at
"""
_HELD = "id = $1 AND version = $2 AND lease_owner = $3 AND lease_until > now()"
_ADVANCE = (
    f"""
WITH changed AS (
    UPDATE fulfillments SET
        status = $4::text,
        version = version + 1,
        updated_at = GREATEST(now(), updated_at),
        shipped_at = CASE WHEN $4::text = 'shipped' THEN GREATEST(now(), updated_at) ELSE shipped_at END,
        has_work = $4::text <> 'shipped',
        due_at = now(),
        attempts = 0,
        problem = NULL,
        lease_owner = CASE WHEN $4::text = 'shipped' THEN NULL ELSE lease_owner END,
        lease_until = CASE WHEN $4::text = 'shipped' THEN NULL ELSE now() + make_interval(secs => $5::float8) END
    WHERE {_HELD} AND ($4::text <> 'label_ready' OR hold_until IS NULL OR hold_until <= now())
    RETURNING *
)"""
    + RECORD_CHANGE.format(type="$4::text", trace="trace_id")
    + " SELECT *, now() AS taken_at FROM changed"
)
_HOLD_AS_FOUND = (
    f"""
WITH changed AS (
    UPDATE fulfillments SET
        version = version + 1, updated_at = GREATEST(now(), updated_at), hold_until = $4, due_at = $4,
        attempts = 0, problem = NULL, lease_owner = NULL, lease_until = NULL
    WHERE {_HELD}
    RETURNING *
)"""
    + RECORD_CHANGE.format(type="'held'", trace="trace_id")
    + " SELECT id FROM changed"
)
# Where a caller changed the row meanwhile (another version), the caller's `problem` and `due_at` stay.
_RELEASE = """
UPDATE fulfillments SET
    lease_owner = NULL,
    lease_until = NULL,
    problem = CASE WHEN version = $2 THEN $4::text ELSE problem END,
    due_at = CASE WHEN version = $2 THEN COALESCE($5::timestamptz, due_at) ELSE due_at END
WHERE id = $1 AND lease_owner = $3
RETURNING id
"""
_LOOK_AGAIN = """
UPDATE fulfillments SET has_work = true, due_at = now()
WHERE id = ANY($1::bigint[]) AND status IN ('shipped', 'returned', 'cancelled') AND NOT has_work
"""
_CLEARED = f"""
UPDATE fulfillments SET has_work = false, attempts = 0, problem = NULL, lease_owner = NULL, lease_until = NULL
WHERE {_HELD}
RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Lease:
    """One row under this worker's lease. `now` is the database's clock when the row was read."""

    id: int
    version: int
    state: State
    label: Label
    hold_until: datetime | None
    hold_version: int
    attempts: int
    has_work: bool
    now: datetime
    trace_id: str

    @property
    def is_held(self) -> bool:
        """True where the database has a hold that is not over; the label itself may have another one."""
        return self.hold_until is not None and self.hold_until > self.now


class Leases:
    """The rows of one worker. owner: its name, unlike any other worker's. seconds: the limit of each call."""

    def __init__(
        self,
        pool: ConnectionPool[Connection],
        metrics: FulfillmentMetrics,
        owner: str,
        lease_seconds: float,
        seconds: float,
    ) -> None:
        self._attempts = attempts_on(pool, metrics.database)
        self._metrics, self._owner, self._lease_seconds, self._seconds = metrics, owner, lease_seconds, seconds

    async def take(self, limit: int) -> list[Lease]:
        """Lease at most `limit` rows that are due and not leased. Raises: DatabaseTrouble."""
        return [_lease(row) for row in await self._change(_TAKE, (self._owner, self._lease_seconds, limit))]

    async def advance(self, lease: Lease, state: State) -> Lease | None:
        """Write the row's next state, with its event and message. The lease is extended; with `shipped` it ends.

        None: another worker or a caller was there first, or a hold came meanwhile.
        Raises: DatabaseTrouble.
        """
        args = (*self._held(lease), state.value, self._lease_seconds)
        rows = await self._change(_ADVANCE, args)
        if not rows:
            return None
        self._metrics.changes.labels(state.value).inc()
        return _lease(rows[0])

    async def hold_as_found(self, lease: Lease, until: datetime) -> bool:
        """Take over a hold that somebody wrote on the label itself, and end the lease; False: overtaken.

        Raises: DatabaseTrouble.
        """
        return bool(await self._change(_HOLD_AS_FOUND, (*self._held(lease), until)))

    async def release(self, lease: Lease, due_at: datetime | None = None, problem: str | None = None) -> bool:
        """Give the row back, to be taken again from `due_at` on (None: at once); False: another worker has it.

        Raises: DatabaseTrouble.
        """
        return bool(await self._change(_RELEASE, (*self._held(lease), problem, due_at)))

    async def look_again(self, ids: Sequence[int]) -> None:
        """Have rows taken once more that are done, but whose objects may be wrong. Raises: DatabaseTrouble."""
        await self._change(_LOOK_AGAIN, (list(ids),))

    async def cleared(self, lease: Lease) -> bool:
        """Write that nothing is left to do for this row; False: overtaken. Raises: DatabaseTrouble."""
        return bool(await self._change(_CLEARED, self._held(lease)))

    def _held(self, lease: Lease) -> tuple[object, ...]:
        return (lease.id, lease.version, self._owner)

    async def _change(self, statement: str, args: tuple[object, ...]) -> list[Row]:
        deadline = Deadline(self._seconds)
        return await self._attempts.transact(lambda connection: connection.fetch(statement, *args), deadline)


def _lease(row: Row) -> Lease:
    label = make_label(row["id"], row["order_id"], orjson.loads(row["address"]), orjson.loads(row["items"]))
    return Lease(
        row["id"],
        row["version"],
        State(row["status"]),
        label,
        row["hold_until"],
        row["hold_version"],
        row["attempts"],
        row["has_work"],
        row["taken_at"],
        row["trace_id"],
    )
