"""Cases in PostgreSQL: every change is one transaction: the changed rows, an event, a message, the caller's key."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import orjson

from lakeproof.deadline import Deadline
from lakeproof_shop.services.support.events import RECORD, SELECT_OPERATION
from lakeproof_shop.services.support.file_store import Received
from lakeproof_shop.services.support.metrics import SupportMetrics
from lakeproof_shop.services.support.models import Attachment, Case, CaseEvent, Message, Op, Status
from lakeproof_shop.services.support.requests import MAX_ATTACHMENTS, MAX_MESSAGES, MessageRequest, OpenRequest
from lakeproof_shop.serving.database.errors import Duplicate, MadeByAnother
from lakeproof_shop.serving.database.pool import ConnectionPool
from lakeproof_shop.serving.database.postgres import Connection, Row, attempts_on
from lakeproof_shop.serving.operation import Operation, RuleRefused
from lakeproof_shop.serving.times import iso
from lakeproof_shop.serving.traces import trace_id

_TIME = "to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
_ATTACHMENT = "a.id, a.case_id, a.name, a.content_type, a.size, a.sha256, a.place, " + _TIME.format("a.created_at")
# A case in one statement: under READ COMMITTED, several statements would read several points in time.
SELECT_CASE = f"""
SELECT c.*,
    COALESCE((SELECT jsonb_agg(jsonb_build_array(m.id, m.author, m.body, {_TIME.format("m.at")}) ORDER BY m.id)
              FROM case_messages m WHERE m.case_id = c.id), '[]') AS messages,
    COALESCE((SELECT jsonb_agg(jsonb_build_array({_ATTACHMENT}, a.file::text) ORDER BY a.id)
              FROM case_attachments a WHERE a.case_id = c.id), '[]') AS attachments,
    COALESCE((SELECT jsonb_agg(jsonb_build_array(e.version, e.type, {_TIME.format("e.at")}) ORDER BY e.version)
              FROM case_events e WHERE e.case_id = c.id), '[]') AS events
FROM cases c WHERE c.id = $1
"""
_LOCK = "SELECT id FROM cases WHERE id = $1 FOR UPDATE"
# Not part of _LOCK: a statement that waits for a lock does not count what was committed while it waited.
_STATE = """
SELECT c.status,
    (SELECT count(*) FROM case_messages m WHERE m.case_id = c.id) AS messages,
    (SELECT count(*) FROM case_attachments a WHERE a.case_id = c.id) AS attachments
FROM cases c WHERE c.id = $1
"""
_OPEN = (
    """
WITH changed AS (
    INSERT INTO cases (customer_id, order_id, subject, status, version, created_at, updated_at)
    VALUES ($1, $2, $3, 'open', 1, now(), now())
    RETURNING *
),
first AS (
    INSERT INTO case_messages (case_id, author, body, at)
    SELECT id, 'customer', $4::text, created_at FROM changed WHERE $4::text IS NOT NULL
)"""
    + RECORD.format(type="'opened'", trace="$5", key="$6", digest="$7", made="NULL::bigint")
    + " SELECT id FROM changed"
)
# The clock may have been set back: a case's times never go back.
_CHANGED = """
WITH changed AS (
    UPDATE cases SET status = COALESCE($2::text, status), version = version + 1,
        updated_at = GREATEST(now(), updated_at)
    WHERE id = $1
    RETURNING *
)"""
_RECORD_CHANGE = RECORD.format(type="$3::text", trace="$4", key="$5", digest="$6", made="{made}")
_CLOSE = _CHANGED + _RECORD_CHANGE.format(made="NULL::bigint") + " SELECT NULL::bigint AS made"
_MESSAGE = (
    _CHANGED
    + """,
added AS (
    INSERT INTO case_messages (case_id, author, body, at) SELECT id, $7, $8, updated_at FROM changed RETURNING id
)"""
    + _RECORD_CHANGE.format(made="(SELECT id FROM added)")
    + " SELECT id AS made FROM added"
)
_ATTACH = (
    _CHANGED
    + """,
added AS (
    INSERT INTO case_attachments (case_id, name, content_type, size, sha256, file, place, created_at)
    SELECT id, $7, $8, $9, $10, $11, 'local', updated_at FROM changed RETURNING id
)"""
    + _RECORD_CHANGE.format(made="(SELECT id FROM added)")
    + " SELECT id AS made FROM added"
)


@dataclass(frozen=True, slots=True)
class Changed:
    """The answer to a change: the case as it is now.

    made: the id of the message or attachment that the change made.
    replayed: an earlier call with this key had made the change.
    """

    case: Case
    made: int | None = None
    replayed: bool = False


class CaseStore:
    """Cases, by way of a pool of connections."""

    def __init__(self, pool: ConnectionPool[Connection], metrics: SupportMetrics) -> None:
        self._metrics = metrics
        self._attempts = attempts_on(pool, metrics.database)

    async def open(self, request: OpenRequest, operation: Operation[Op], deadline: Deadline) -> Changed:
        """Make a new case, or give the one that this key made before.

        Raises: RuleRefused (key_reused), and as `Attempts.transact`.
        """
        args = (request.customer_id, request.order_id, request.subject, request.message)

        async def work(connection: Connection) -> Changed:
            (row,) = await connection.fetch(_OPEN, *args, trace_id.get(), operation.key, operation.digest)
            return Changed(await _read(connection, row["id"]))

        return await self._transact(work, operation, deadline)

    async def add_message(
        self, case_id: int, request: MessageRequest, operation: Operation[Op], deadline: Deadline
    ) -> Changed:
        """Add a message to an open case. Raises: RuleRefused, and as `Attempts.transact`."""
        return await self._change(_MESSAGE, case_id, operation, deadline, request.author, request.body)

    async def attach(
        self, case_id: int, name: str, received: Received, operation: Operation[Op], deadline: Deadline
    ) -> Changed:
        """Add the row of a file that is whole on the disk. Raises: RuleRefused, and as `Attempts.transact`."""
        of_file = (name, received.content_type, received.size, received.sha256, received.file)
        return await self._change(_ATTACH, case_id, operation, deadline, *of_file)

    async def close(self, case_id: int, operation: Operation[Op], deadline: Deadline) -> Changed:
        """Close an open case. Raises: RuleRefused, and as `Attempts.transact`."""
        return await self._change(_CLOSE, case_id, operation, deadline)

    async def find(self, case_id: int, deadline: Deadline) -> Case | None:
        """The case of that id, None where there is none."""

        async def read(connection: Connection) -> Case | None:
            rows = await connection.fetch(SELECT_CASE, case_id)
            return _case(rows[0]) if rows else None

        return await self._attempts.run(read, deadline)

    async def _change(
        self, statement: str, case_id: int, operation: Operation[Op], deadline: Deadline, *more: object
    ) -> Changed:
        async def work(connection: Connection) -> Changed:
            await connection.fetch(_LOCK, case_id)
            if (done := await _done_before(connection, operation)) is not None:
                return done
            _require_allowed(operation.op, case_id, await connection.fetch(_STATE, case_id))
            after = Status.CLOSED.value if operation.op is Op.CLOSE else None
            recorded = (operation.op.event, trace_id.get(), operation.key, operation.digest)
            (row,) = await connection.fetch(statement, case_id, after, *recorded, *more)
            return Changed(await _read(connection, case_id), row["made"])

        return await self._transact(work, operation, deadline)

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
            self._metrics.changes.labels(operation.op.event).inc()
        return changed


def _require_allowed(op: Op, case_id: int, locked: list[Row]) -> None:
    """Raises: RuleRefused (not_found, not_allowed, too_many)."""
    if not locked:
        raise RuleRefused("not_found", f"no case {case_id}")
    if locked[0]["status"] != Status.OPEN:
        raise RuleRefused("not_allowed", f"case {case_id} is {locked[0]['status']}")
    if op is Op.MESSAGE and locked[0]["messages"] >= MAX_MESSAGES:
        raise RuleRefused("too_many", f"a case has at most {MAX_MESSAGES} messages")
    if op is Op.ATTACH and locked[0]["attachments"] >= MAX_ATTACHMENTS:
        raise RuleRefused("too_many", f"a case has at most {MAX_ATTACHMENTS} attachments")


async def _done_before(connection: Connection, operation: Operation[Op]) -> Changed | None:
    """The answer of a key that was used before, None for a new key. Raises: RuleRefused (key_reused)."""
    done = await connection.fetch(SELECT_OPERATION, operation.key)
    if not done:
        return None
    operation.require_same(bytes(done[0]["digest"]))
    return Changed(await _read(connection, done[0]["case_id"]), done[0]["made"], replayed=True)


async def _read(connection: Connection, case_id: int) -> Case:
    (row,) = await connection.fetch(SELECT_CASE, case_id)
    return _case(row)


def _case(row: Row) -> Case:
    attachments: list[list[Any]] = orjson.loads(row["attachments"])
    return Case(
        row["id"],
        row["customer_id"],
        row["order_id"],
        row["subject"],
        row["status"],
        row["version"],
        iso(row["created_at"]),
        iso(row["updated_at"]),
        tuple(Message(*each) for each in orjson.loads(row["messages"])),
        tuple(Attachment(*each) for each in attachments),
        tuple(CaseEvent(*each) for each in orjson.loads(row["events"])),
    )
