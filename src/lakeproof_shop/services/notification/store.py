"""Notifications in PostgreSQL: callers make them, read them, and have them count as failed.

Every change is one transaction: the row, the message for others, the caller's key. Sending is in leases.py.
"""

import uuid
from dataclasses import dataclass

from lakeproof.deadline import Deadline
from lakeproof_shop.services.notification.events import RECORD_CHANGE
from lakeproof_shop.services.notification.metrics import NotificationMetrics
from lakeproof_shop.services.notification.models import Channel, DropReason, Notification, Status
from lakeproof_shop.services.notification.operations import INSERT_OPERATION, subject_of, take_key
from lakeproof_shop.services.notification.requests import BatchRequest, CreateRequest, SpreadRequest
from lakeproof_shop.serving.database.errors import Duplicate
from lakeproof_shop.serving.database.pool import ConnectionPool
from lakeproof_shop.serving.database.postgres import Connection, Row, attempts_on
from lakeproof_shop.serving.operation import Operation, RuleRefused
from lakeproof_shop.serving.outbox import Event, add_event
from lakeproof_shop.serving.times import iso, iso_or_none
from lakeproof_shop.serving.traces import trace_id

_CREATE = (
    """
WITH changed AS (
    INSERT INTO notifications (id, customer_id, channel, recipient, subject, body, topic, status, trace_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7, 'pending', $8)
    RETURNING *
)"""
    + RECORD_CHANGE.format(type="'notification.created'")
    + """,
operation AS (
    INSERT INTO notification_operations (operation_key, subject_id, digest)
    SELECT $9::text, id::text, $10::bytea FROM changed
)
SELECT * FROM changed"""
)
_CREATE_BATCH = """
INSERT INTO notifications
    (id, customer_id, channel, recipient, subject, body, topic, batch_id, status, due_at, trace_id)
SELECT one.id, one.customer_id, $4, one.recipient, $5, $6, $7, $8, 'pending',
       clock_timestamp() + ((one.place - 1) * $9::float8 / count(*) OVER ()) * interval '1 second', $10
FROM unnest($1::uuid[], $2::bigint[], $3::text[]) WITH ORDINALITY AS one (id, customer_id, recipient, place)
"""
_BATCH = """
SELECT status, count(*) AS count, min(created_at) AS created_at, max(due_at) AS last_due_at
FROM notifications WHERE batch_id = $1 GROUP BY status
"""
# True of a row that nobody is sending: a claim whose lease is over is that of a sender that died (leases.py). A
# statement that changes such a row must end the claim too, or the new due_at would be read as the lease's end.
_FREE = "(claim IS NULL OR due_at <= clock_timestamp())"
_SPREAD = f"""
UPDATE notifications n SET claim = NULL, due_at = clock_timestamp()
    + ($2::float8 + (one.place - 1) * $3::float8 / one.count) * interval '1 second'
FROM (SELECT id, row_number() OVER (ORDER BY due_at, id) AS place, count(*) OVER () AS count
      FROM notifications WHERE batch_id = $1 AND status = 'pending' AND {_FREE}) one
WHERE n.id = one.id AND n.status = 'pending' AND {_FREE}
"""
_WITHDRAW = (
    f"""
WITH changed AS (
    UPDATE notifications SET status = 'dropped', reason = $2, claim = NULL, due_at = NULL, version = version + 1,
                             updated_at = GREATEST(clock_timestamp(), updated_at)
    WHERE batch_id = $1 AND status IN ('pending', 'failed') AND due_at IS NOT NULL AND {_FREE}
    RETURNING *
)"""
    + RECORD_CHANGE.format(type="'notification.dropped'")
    + " SELECT id FROM changed"
)
_FIND = "SELECT * FROM notifications WHERE id = $1"
_LOCK = (
    "SELECT *, claim IS NOT NULL AND due_at > clock_timestamp() AS is_leased"
    " FROM notifications WHERE id = $1 FOR UPDATE"
)
_FAIL = (
    """
WITH changed AS (
    UPDATE notifications SET status = 'failed', reason = $2, claim = NULL, due_at = NULL, version = version + 1,
                             updated_at = GREATEST(clock_timestamp(), updated_at)
    WHERE id = $1 RETURNING *
)"""
    + RECORD_CHANGE.format(type="'notification.failed'")
    + " SELECT * FROM changed"
)


@dataclass(frozen=True, slots=True)
class Changed:
    """The answer to a change. replayed: an earlier call with this key had made it. acted: this call made a change."""

    notification: Notification
    replayed: bool = False
    acted: bool = True


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch: how many by status, and when the last one is due that is not done yet."""

    batch_id: uuid.UUID
    count: int
    by_status: dict[str, int]
    created_at: str
    last_due_at: str | None


class NotificationStore:
    """The notifications and batches of callers."""

    def __init__(self, pool: ConnectionPool[Connection], metrics: NotificationMetrics) -> None:
        self._metrics = metrics
        self._attempts = attempts_on(pool, metrics.database)

    async def create(self, request: CreateRequest, operation: Operation[str], deadline: Deadline) -> Changed:
        """Make a notification, or give the one that this key made before.

        Raises: RuleRefused (key_reused), and as `Attempts.transact`.
        """
        args = (
            uuid.uuid4(),
            request.customer_id,
            request.channel.value,
            request.to,
            request.subject,
            request.body,
            request.topic.value,
            trace_id.get(),
            operation.key,
            operation.digest,
        )

        async def work(connection: Connection) -> Changed:
            (row,) = await connection.fetch(_CREATE, *args)
            return Changed(notification_of(row))

        async def replay(connection: Connection, _: Duplicate) -> Changed:
            made = uuid.UUID(await subject_of(connection, operation))
            return Changed(await _find(connection, made), replayed=True, acted=False)

        changed = await self._attempts.transact(work, deadline, replay=replay)
        if changed.replayed:
            self._metrics.replays.inc()
        else:
            self._metrics.created.labels("caller").inc()
        return changed

    async def create_batch(
        self, request: BatchRequest, operation: Operation[str], deadline: Deadline
    ) -> tuple[Batch | None, bool]:
        """Make a batch's notifications, due one after the other. Gives the batch; True where the key made it before.

        Raises: RuleRefused (key_reused), and as `Attempts.transact`.
        """
        batch_id, recipients = uuid.uuid4(), request.recipients
        args = (
            [uuid.uuid4() for _ in recipients],
            [one.customer_id for one in recipients],
            [one.to for one in recipients],
            request.channel.value,
            request.subject,
            request.body,
            request.topic.value,
            batch_id,
            float(request.spread_seconds),
            trace_id.get(),
        )
        data = {"count": len(recipients), "channel": request.channel.value, "topic": request.topic.value}

        async def work(connection: Connection) -> tuple[Batch | None, bool]:
            await connection.fetch(INSERT_OPERATION, operation.key, str(batch_id), operation.digest)
            await connection.fetch(_CREATE_BATCH, *args)
            await add_event(connection, Event("batch", str(batch_id), "batch.created", data))
            return await _batch(connection, batch_id), False

        async def replay(connection: Connection, _: Duplicate) -> tuple[Batch | None, bool]:
            return await _batch(connection, uuid.UUID(await subject_of(connection, operation))), True

        batch, replayed = await self._attempts.transact(work, deadline, replay=replay)
        if replayed:
            self._metrics.replays.inc()
        else:
            self._metrics.created.labels("batch").inc(len(recipients))
        return batch, replayed

    async def batch(self, batch_id: uuid.UUID, deadline: Deadline) -> Batch | None:
        """A batch as it stands; None where there is none."""
        return await self._attempts.run(lambda connection: _batch(connection, batch_id), deadline)

    async def spread_batch(self, batch_id: uuid.UUID, request: SpreadRequest, deadline: Deadline) -> Batch | None:
        """Spread the due times of a batch's pending notifications anew, without those that are being sent now.

        Gives the batch after it. Raises: as `Attempts.transact`.
        """

        async def work(connection: Connection) -> Batch | None:
            await connection.fetch(_SPREAD, batch_id, float(request.after_seconds), float(request.spread_seconds))
            return await _batch(connection, batch_id)

        return await self._attempts.transact(work, deadline)

    async def withdraw_batch(self, batch_id: uuid.UUID, deadline: Deadline) -> Batch | None:
        """Drop a batch's notifications that wait, first or again, to be sent, without those that are being sent now.

        Gives the batch after it. Raises: as `Attempts.transact`.
        """

        async def work(connection: Connection) -> tuple[Batch | None, int]:
            dropped = await connection.fetch(_WITHDRAW, batch_id, DropReason.WITHDRAWN.value)
            return await _batch(connection, batch_id), len(dropped)

        batch, dropped = await self._attempts.transact(work, deadline)
        self._metrics.dropped.labels(DropReason.WITHDRAWN.value).inc(dropped)
        return batch

    async def get(self, notification_id: uuid.UUID, deadline: Deadline) -> Notification:
        """The notification with that id. Raises: RuleRefused (not_found), and as `Attempts.run`."""
        return await self._attempts.run(lambda connection: _find(connection, notification_id), deadline)

    async def fail(
        self, notification_id: uuid.UUID, reason: str, operation: Operation[str], deadline: Deadline
    ) -> Changed:
        """Count a notification as failed, and do not retry it. One that has failed for good stays as it is.

        Raises: RuleRefused (not_found, key_reused, not_allowed, being_sent), and as `Attempts.transact`.
        """

        async def work(connection: Connection) -> Changed:
            rows = await connection.fetch(_LOCK, notification_id)
            if not rows:
                raise RuleRefused("not_found", f"no notification {notification_id}")
            replayed = await take_key(connection, operation, str(notification_id), self._metrics)
            status = rows[0]["status"]
            if replayed or (status == "failed" and rows[0]["due_at"] is None):
                return Changed(notification_of(rows[0]), replayed=replayed, acted=False)
            if rows[0]["is_leased"]:
                raise RuleRefused("being_sent", "it is being sent at this moment")
            if status not in ("pending", "failed"):
                raise RuleRefused("not_allowed", f"cannot fail a notification that is {status}")
            (row,) = await connection.fetch(_FAIL, notification_id, reason)
            return Changed(notification_of(row))

        changed = await self._attempts.transact(work, deadline)
        if changed.acted:
            self._metrics.failures.inc()
            self._metrics.tries.labels(changed.notification.channel, "failed_by_request").inc()
        return changed

    async def take_key(self, operation: Operation[str], subject: str, deadline: Deadline) -> bool:
        """Note the caller's key without a change, for an action that is safe to repeat. True: it was noted before.

        Raises: RuleRefused (key_reused), and as `Attempts.transact`.
        """

        return await self._attempts.transact(
            lambda connection: take_key(connection, operation, subject, self._metrics), deadline
        )


async def _find(connection: Connection, notification_id: uuid.UUID) -> Notification:
    """Raises: RuleRefused (not_found)."""
    rows = await connection.fetch(_FIND, notification_id)
    if not rows:
        raise RuleRefused("not_found", f"no notification {notification_id}")
    return notification_of(rows[0])


async def _batch(connection: Connection, batch_id: uuid.UUID) -> Batch | None:
    rows = await connection.fetch(_BATCH, batch_id)
    if not rows:
        return None
    due = (row["last_due_at"] for row in rows if row["last_due_at"] is not None)
    return Batch(
        batch_id,
        sum(row["count"] for row in rows),
        {row["status"]: row["count"] for row in rows},
        iso(min(row["created_at"] for row in rows)),
        iso_or_none(max(due, default=None)),
    )


def notification_of(row: Row) -> Notification:
    """The notification in a row of the table."""
    return Notification(
        id=row["id"],
        customer_id=row["customer_id"],
        channel=Channel(row["channel"]),
        to=row["recipient"],
        subject=row["subject"],
        body=row["body"],
        topic=row["topic"],  # not as a Topic: the database may hold an unknown one, which must not stop the others
        batch_id=row["batch_id"],
        status=Status(row["status"]),
        reason=row["reason"],
        attempts=row["attempts"],
        version=row["version"],
        due_at=iso_or_none(row["due_at"]),
        created_at=iso(row["created_at"]),
        updated_at=iso(row["updated_at"]),
        sent_at=iso_or_none(row["sent_at"]),
    )
