"""Leases on notifications: one sender at a time may send a notification, and writes down the outcome.

Each step is one statement that is safe to repeat: a sender takes a notification under a token of its own, and ends
the lease with this token. A sender that dies leaves its lease behind; once the lease is over the worker takes the
notification, and the provider sees the same Message-ID again.
"""

import uuid
from dataclasses import dataclass

from lakeproof.deadline import Deadline
from lakeproof_shop.services.notification.events import RECORD_CHANGE
from lakeproof_shop.services.notification.metrics import NotificationMetrics
from lakeproof_shop.services.notification.models import ANY, Channel, DropReason, Notification, Status
from lakeproof_shop.services.notification.store import notification_of
from lakeproof_shop.serving.database.pool import ConnectionPool
from lakeproof_shop.serving.database.postgres import Connection, Row, attempts_on

CONSUMED_KEPT_DAYS = 8  # longer than Kafka keeps an event that could come again
SWEPT_AT_ONCE = 5_000

# {n}: the alias of the notification's row in the statement.
_OPTED_OUT = (
    "EXISTS (SELECT FROM preferences p WHERE p.customer_id = {n}.customer_id AND p.opted_out ?| ARRAY["
    f"{{n}}.topic || '/' || {{n}}.channel, {{n}}.topic || '/{ANY}', '{ANY}/' || {{n}}.channel, '{ANY}/{ANY}'])"
)
_LOOK = (
    f"SELECT n.*, {_OPTED_OUT.format(n='n')} AS is_opted_out,"
    " n.claim IS NOT NULL AND n.due_at > clock_timestamp() AS is_leased FROM notifications n WHERE n.id = $1"
)
# Repeated with the same token, the statement finds its own lease: the column `claim` holds the token.
_TAKE = f"""
UPDATE notifications n SET claim = $2, due_at = clock_timestamp() + $3::float8 * interval '1 second',
    attempts = attempts + CASE WHEN claim IS NOT DISTINCT FROM $2 THEN 0 ELSE 1 END
WHERE id = $1 AND status IN ('pending', 'failed')
    AND (claim IS NULL OR due_at <= clock_timestamp() OR claim = $2) AND NOT {_OPTED_OUT.format(n="n")}
RETURNING *
"""
_TAKE_DUE = f"""
UPDATE notifications n SET claim = $1, due_at = clock_timestamp() + $2::float8 * interval '1 second',
    attempts = attempts + 1
WHERE id IN (SELECT id FROM notifications WHERE channel = $3 AND due_at <= clock_timestamp() ORDER BY due_at
             LIMIT $4 FOR UPDATE SKIP LOCKED)
RETURNING *, {_OPTED_OUT.format(n="n")} AS is_opted_out
"""
_END = (
    """
WITH changed AS (
    UPDATE notifications SET status = $3::text, reason = $4::text, claim = NULL,
        due_at = clock_timestamp() + $5::float8 * interval '1 second',
        sent_at = CASE WHEN $3 = 'sent' THEN clock_timestamp() END,
        version = version + 1, updated_at = GREATEST(clock_timestamp(), updated_at)
    WHERE id = $1 AND status IN ('pending', 'failed') AND {mine}
    RETURNING *
)"""
    + RECORD_CHANGE.format(type="'notification.' || status")
    + " SELECT * FROM changed"
)
_END_MINE = _END.replace("{mine}", "claim = $2")
_END_FREE = _END.replace("{mine}", "(claim IS NULL OR due_at <= clock_timestamp() OR claim = $2)")
_SWEEP = (
    "DELETE FROM consumed_events WHERE event_id IN (SELECT event_id FROM consumed_events"
    f" WHERE at < clock_timestamp() - interval '{CONSUMED_KEPT_DAYS} days' LIMIT {SWEPT_AT_ONCE}) RETURNING event_id"
)


@dataclass(frozen=True, slots=True)
class Look:
    """A notification as it stands, with the reasons why it may not be sent now."""

    notification: Notification
    is_opted_out: bool
    is_leased: bool
    trace_id: str


class Leases:
    """Leases of one process. `lease_seconds`: the time after which a lease ends by itself."""

    def __init__(self, pool: ConnectionPool[Connection], metrics: NotificationMetrics, lease_seconds: float) -> None:
        self._attempts, self.lease_seconds = attempts_on(pool, metrics.database), lease_seconds

    async def look(self, notification_id: uuid.UUID, deadline: Deadline) -> Look | None:
        """Look at a notification; None where there is none. All methods here raise as `Attempts.run` does."""
        rows = await self._fetch(deadline, _LOOK, notification_id)
        return _look(rows[0], is_leased=rows[0]["is_leased"]) if rows else None

    async def take(self, notification_id: uuid.UUID, token: uuid.UUID, deadline: Deadline) -> Notification | None:
        """Lease a notification; None where it is sent or dropped, leased by another, or its customer opted out."""
        rows = await self._fetch(deadline, _TAKE, notification_id, token, self.lease_seconds)
        return notification_of(rows[0]) if rows else None

    async def take_due(self, channel: Channel, token: uuid.UUID, count: int, deadline: Deadline) -> list[Look]:
        """Lease up to `count` due notifications of the channel, also those whose lease has expired. Passes over those
        that others are taking.
        """
        rows = await self._fetch(deadline, _TAKE_DUE, token, self.lease_seconds, channel.value, count)
        return [_look(row, is_leased=True) for row in rows]

    async def sent(self, notification_id: uuid.UUID, token: uuid.UUID, deadline: Deadline) -> Notification | None:
        """Write that a provider took the notification. None: the lease was somebody else's by then."""
        return await self._end(deadline, _END_MINE, notification_id, token, Status.SENT, None, None)

    async def failed(
        self,
        notification_id: uuid.UUID,
        token: uuid.UUID,
        reason: str,
        retry_seconds: float | None,
        deadline: Deadline,
    ) -> Notification | None:
        """Write that this try failed. The notification is due again after `retry_seconds`; None: not by itself.

        Gives None as `sent` does.
        """
        return await self._end(deadline, _END_MINE, notification_id, token, Status.FAILED, reason, retry_seconds)

    async def drop(
        self, notification_id: uuid.UUID, token: uuid.UUID, reason: DropReason, deadline: Deadline
    ) -> Notification | None:
        """Write that the notification will not be sent. None: it is done already, or somebody is sending it."""
        return await self._end(deadline, _END_FREE, notification_id, token, Status.DROPPED, reason, None)

    async def sweep(self, deadline: Deadline) -> bool:
        """Forget at most SWEPT_AT_ONCE consumed events that Kafka no longer has. False: there may be more."""
        return len(await self._fetch(deadline, _SWEEP)) < SWEPT_AT_ONCE

    async def _end(self, deadline: Deadline, statement: str, *args: object) -> Notification | None:
        rows = await self._fetch(deadline, statement, *args)
        return notification_of(rows[0]) if rows else None

    async def _fetch(self, deadline: Deadline, statement: str, *args: object) -> list[Row]:
        return await self._attempts.run(lambda connection: connection.fetch(statement, *args), deadline)


def _look(row: Row, *, is_leased: bool) -> Look:
    return Look(notification_of(row), row["is_opted_out"], is_leased, row["trace_id"])
