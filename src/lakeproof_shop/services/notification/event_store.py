"""Notifications made from events, in PostgreSQL. Each event acts once, however often Kafka delivers it."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from lakeproof.deadline import Deadline
from lakeproof_shop.services.notification.events import RECORD_CHANGE
from lakeproof_shop.services.notification.incoming import Wanted, address_of
from lakeproof_shop.services.notification.metrics import NotificationMetrics
from lakeproof_shop.services.notification.models import Channel, DropReason
from lakeproof_shop.serving.database.pool import ConnectionPool
from lakeproof_shop.serving.database.postgres import Connection, attempts_on

# One statement, safe to repeat: a notification is made only where its event is new. The row in consumed_events goes
# earlier than the notification (leases.py); where the event comes again after that, the notification stays as it is.
_TAKE = (
    """
WITH incoming AS (
    SELECT *
    FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
        AS one (event_id, source, customer_id, recipient, subject, body, topic, trace_id)
),
fresh AS (
    INSERT INTO consumed_events (event_id, source) SELECT event_id, source FROM incoming
    ON CONFLICT DO NOTHING RETURNING event_id
),
changed AS (
    INSERT INTO notifications (id, customer_id, channel, recipient, subject, body, topic, status, due_at, trace_id)
    SELECT event_id, customer_id, $9, recipient, subject, body, topic, 'pending', clock_timestamp(), trace_id
    FROM incoming JOIN fresh USING (event_id)
    ON CONFLICT (id) DO NOTHING RETURNING *
)"""
    + RECORD_CHANGE.format(type="'notification.created'")
    + " SELECT id FROM changed"
)


_DROP = """
INSERT INTO consumed_events (event_id, source, dropped)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[]) ON CONFLICT DO NOTHING
"""


# A database that consumed events before this table existed begins at the oldest consumed event that it still has.
_NOTE_BEGINNING = """
INSERT INTO reading_since (topic, at)
SELECT topic, CASE WHEN EXISTS (SELECT FROM reading_since) THEN clock_timestamp()
    ELSE COALESCE((SELECT min(at) FROM consumed_events), clock_timestamp()) END
FROM unnest($1::text[]) AS one (topic) ON CONFLICT DO NOTHING
"""
_BEGINNING = "SELECT topic, extract(epoch FROM at)::float8 AS at FROM reading_since WHERE topic = ANY($1::text[])"


@dataclass(frozen=True, slots=True)
class Dropped:
    """An event without a notification, and why. It is recorded, so that it does not count as a missed event."""

    event_id: uuid.UUID
    source: str
    reason: DropReason


@dataclass(frozen=True, slots=True)
class Addressed:
    """A wanted message whose customer is known."""

    wanted: Wanted
    customer_id: int


class EventStore:
    """Records events, and makes their notifications."""

    def __init__(self, pool: ConnectionPool[Connection], metrics: NotificationMetrics) -> None:
        self._attempts, self._metrics = attempts_on(pool, metrics.database), metrics

    async def reading_since(self, topics: Sequence[str], deadline: Deadline) -> dict[str, float]:
        """Topic → when it was first read (now, if never), in seconds since 1970. Raises: as `Attempts.run`."""

        async def work(connection: Connection) -> dict[str, float]:
            await connection.fetch(_NOTE_BEGINNING, list(topics))
            return {row["topic"]: row["at"] for row in await connection.fetch(_BEGINNING, list(topics))}

        return await self._attempts.run(work, deadline)

    async def drop(self, events: Sequence[Dropped], deadline: Deadline) -> None:
        """Record events that were dropped, with the reason; safe to repeat. Raises: as `Attempts.run`."""
        ids, sources = [one.event_id for one in events], [one.source for one in events]
        reasons = [one.reason.value for one in events]

        await self._attempts.run(lambda connection: connection.fetch(_DROP, ids, sources, reasons), deadline)

    async def take(self, events: Sequence[Addressed], deadline: Deadline) -> int:
        """Make a notification, due at once, for each new event. Gives how many. Raises: as `Attempts.run`."""
        once: dict[uuid.UUID, Addressed] = {one.wanted.event_id: one for one in events}
        rows = list(once.values())
        columns: tuple[list[object], ...] = (
            [one.wanted.event_id for one in rows],
            [one.wanted.source for one in rows],
            [one.customer_id for one in rows],
            [address_of(one.customer_id) for one in rows],
            [one.wanted.subject for one in rows],
            [one.wanted.body for one in rows],
            [one.wanted.topic.value for one in rows],
            [one.wanted.trace_id for one in rows],
        )

        made = len(
            await self._attempts.run(
                lambda connection: connection.fetch(_TAKE, *columns, Channel.EMAIL.value), deadline
            )
        )
        self._metrics.created.labels("event").inc(made)
        self._metrics.events.labels("notified").inc(made)
        self._metrics.events.labels("repeated").inc(len(events) - made)
        return made
