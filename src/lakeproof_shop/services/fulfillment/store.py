"""Fulfillments in PostgreSQL: every change is one transaction: row, event, message, the caller's key."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

import orjson

from lakeproof.deadline import Deadline
from lakeproof_shop.services.fulfillment.events import RECORD_CHANGE, RECORD_OPERATION, SELECT_OPERATION
from lakeproof_shop.services.fulfillment.label import make_label
from lakeproof_shop.services.fulfillment.metrics import FulfillmentMetrics
from lakeproof_shop.services.fulfillment.models import Event, Fulfillment, Op, State, tracking_number
from lakeproof_shop.services.fulfillment.requests import CreateRequest
from lakeproof_shop.serving.database.errors import Duplicate, MadeByAnother
from lakeproof_shop.serving.database.pool import ConnectionPool
from lakeproof_shop.serving.database.postgres import Connection, Row, attempts_on
from lakeproof_shop.serving.operation import Operation, RuleRefused
from lakeproof_shop.serving.times import iso, iso_or_none
from lakeproof_shop.serving.traces import trace_id

MAX_FOUND = 200  # fulfillments of one order

_WITH_EVENTS = """
SELECT f.*, COALESCE((
    SELECT jsonb_agg(jsonb_build_array(
        e.version, e.type, to_char(e.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')) ORDER BY e.version)
    FROM fulfillment_events e WHERE e.fulfillment_id = f.id), '[]'::jsonb) AS events
FROM fulfillments f"""
_CREATE = (
    """
WITH changed AS (
    INSERT INTO fulfillments (order_id, status, version, address, items, label_bytes, hold_until, trace_id,
                              requested_at, updated_at, due_at)
    VALUES ($1, 'requested', 1, $2::jsonb, $3::jsonb, $4, $5, $6, now(), now(), now())
    RETURNING *
)"""
    + RECORD_CHANGE.format(type="'requested'", trace="$6")
    + RECORD_OPERATION.format(key="$7", digest="$8")
    + " SELECT * FROM changed"
)
_LOCK = "SELECT status FROM fulfillments WHERE id = $1 FOR UPDATE"
# The clock may have been set back: a fulfillment's times never go back.
_CHANGE = (
    """
WITH changed AS (
    UPDATE fulfillments SET
        status = COALESCE($2::text, status),
        version = version + 1,
        updated_at = GREATEST(now(), updated_at),
        hold_until = CASE WHEN $3::boolean THEN $4::timestamptz ELSE hold_until END,
        hold_version = hold_version + CASE WHEN $3 THEN 1 ELSE 0 END,
        has_work = has_work OR $3 OR $2 = 'cancelled',
        due_at = now(),
        attempts = 0,
        problem = NULL
    WHERE id = $1
    RETURNING *
)"""
    + RECORD_CHANGE.format(type="$5::text", trace="$6")
    + RECORD_OPERATION.format(key="$7", digest="$8")
    + " SELECT * FROM changed"
)
_EVENT_TYPES = {Op.CREATE: "requested", Op.HOLD: "held", Op.CANCEL: "cancelled", Op.RETURN: "returned"}


@dataclass(frozen=True, slots=True)
class Changed:
    """The answer to a change. replayed: an earlier call with this key had made the change."""

    fulfillment: Fulfillment
    replayed: bool = False


class FulfillmentStore:
    """The fulfillments, as callers make, change and read them."""

    def __init__(self, pool: ConnectionPool[Connection], metrics: FulfillmentMetrics) -> None:
        self._metrics = metrics
        self._attempts = attempts_on(pool, metrics.database)

    async def create(self, request: CreateRequest, operation: Operation[Op], deadline: Deadline) -> Changed:
        """Make a fulfillment, or give the one that this key made before.

        Raises: RuleRefused (key_reused), and as `Attempts.transact`.
        """
        address = request.address.model_dump()
        items = [item.model_dump() for item in request.items]
        args = (
            request.order_id,
            orjson.dumps(address).decode(),
            orjson.dumps(items).decode(),
            len(make_label(0, request.order_id, address, items).body),
            request.hold_until,
            trace_id.get(),
            operation.key,
            operation.digest,
        )

        async def work(connection: Connection) -> Changed:
            (row,) = await connection.fetch(_CREATE, *args)
            event = Event(1, "requested", iso(row["requested_at"]))
            return Changed(_fulfillment(row, (event,)))

        return await self._transact(work, operation, deadline)

    async def change(
        self, fulfillment_id: int, operation: Operation[Op], deadline: Deadline, *, hold_until: datetime | None = None
    ) -> Changed:
        """Hold, cancel or return a fulfillment. A repeated key does nothing and gives the fulfillment as it is.

        Raises: RuleRefused, and as `Attempts.transact`.
        """
        op = operation.op

        async def work(connection: Connection) -> Changed:
            locked = await connection.fetch(_LOCK, fulfillment_id)
            if (done := await _done_before(connection, operation)) is not None:
                return done
            if not locked:
                raise RuleRefused("not_found", f"no fulfillment {fulfillment_id}")
            status = State(locked[0]["status"])
            if status not in op.allowed_from:
                raise RuleRefused("not_allowed", f"cannot {op} a fulfillment that is {status}")
            after = op.state_after
            args = (
                fulfillment_id,
                None if after is None else after.value,
                op is Op.HOLD,
                hold_until,
                _EVENT_TYPES[op],
                trace_id.get(),
                operation.key,
                operation.digest,
            )
            await connection.fetch(_CHANGE, *args)
            return Changed(await _read(connection, fulfillment_id))

        return await self._transact(work, operation, deadline)

    async def find(self, fulfillment_id: int, deadline: Deadline) -> Fulfillment | None:
        """The fulfillment with that id, None where there is none."""
        found = await self._find("f.id = $1", fulfillment_id, deadline)
        return found[0] if found else None

    async def find_by_order(self, order_id: int, deadline: Deadline) -> list[Fulfillment]:
        """The fulfillments of an order, oldest first, at most MAX_FOUND."""
        return await self._find("f.order_id = $1", order_id, deadline)

    async def _find(self, where: str, value: int, deadline: Deadline) -> list[Fulfillment]:
        async def read(connection: Connection) -> list[Fulfillment]:
            statement = f"{_WITH_EVENTS} WHERE {where} ORDER BY f.id LIMIT {MAX_FOUND}"
            return [_with_events(row) for row in await connection.fetch(statement, value)]

        return await self._attempts.run(read, deadline)

    async def _transact(
        self, work: Callable[[Connection], Awaitable[Changed]], operation: Operation[Op], deadline: Deadline
    ) -> Changed:
        async def replay(connection: Connection, _: Duplicate) -> Changed:
            if (done := await _done_before(connection, operation)) is not None:
                return done
            raise MadeByAnother("a unique key exists already that is not the caller's")

        changed = await self._attempts.transact(work, deadline, lambda one: not one.replayed, replay)
        if changed.replayed:
            self._metrics.replays.inc()
        else:
            self._metrics.changes.labels(_EVENT_TYPES[operation.op]).inc()
        return changed


async def _done_before(connection: Connection, operation: Operation[Op]) -> Changed | None:
    """The fulfillment, as it is now, of a key that was used before; None for a new key.

    Raises: RuleRefused (key_reused).
    """
    done = await connection.fetch(SELECT_OPERATION, operation.key)
    if not done:
        return None
    operation.require_same(bytes(done[0]["digest"]))
    return Changed(await _read(connection, int(done[0]["fulfillment_id"])), replayed=True)


async def _read(connection: Connection, fulfillment_id: int) -> Fulfillment:
    (row,) = await connection.fetch(f"{_WITH_EVENTS} WHERE f.id = $1", fulfillment_id)
    return _with_events(row)


def _with_events(row: Row) -> Fulfillment:
    return _fulfillment(row, tuple(Event(version, type_, at) for version, type_, at in orjson.loads(row["events"])))


def _fulfillment(row: Row, events: tuple[Event, ...]) -> Fulfillment:
    return Fulfillment(
        id=row["id"],
        order_id=row["order_id"],
        status=row["status"],
        version=row["version"],
        tracking=tracking_number(row["id"]),
        address=orjson.loads(row["address"]),
        items=orjson.loads(row["items"]),
        hold_until=iso_or_none(row["hold_until"]),
        requested_at=iso(row["requested_at"]),
        updated_at=iso(row["updated_at"]),
        shipped_at=iso_or_none(row["shipped_at"]),
        events=events,
    )
