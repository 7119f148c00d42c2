"""Customers' opt-outs, in PostgreSQL. A change is one transaction: opt-outs, message for others, caller's key."""

from collections.abc import Sequence

import orjson

from lakeproof.deadline import Deadline
from lakeproof_shop.services.notification.metrics import NotificationMetrics
from lakeproof_shop.services.notification.models import OptOut, Preferences
from lakeproof_shop.services.notification.operations import take_key
from lakeproof_shop.serving.database.pool import ConnectionPool
from lakeproof_shop.serving.database.postgres import Connection, Row, attempts_on
from lakeproof_shop.serving.operation import Operation
from lakeproof_shop.serving.outbox import Event, add_event
from lakeproof_shop.serving.times import iso

_FIND = "SELECT opted_out, version, updated_at FROM preferences WHERE customer_id = $1"
_REPLACE = """
INSERT INTO preferences (customer_id, opted_out, version, updated_at) VALUES ($1, $2::jsonb, 1, clock_timestamp())
ON CONFLICT (customer_id) DO UPDATE SET opted_out = EXCLUDED.opted_out, version = preferences.version + 1,
    updated_at = GREATEST(EXCLUDED.updated_at, preferences.updated_at)
RETURNING opted_out, version, updated_at
"""


class PreferenceStore:
    """Reads and sets preferences."""

    def __init__(self, pool: ConnectionPool[Connection], metrics: NotificationMetrics) -> None:
        self._metrics = metrics
        self._attempts = attempts_on(pool, metrics.database)

    async def find(self, customer_id: int, deadline: Deadline) -> Preferences:
        """A customer's preferences; empty where the customer has set none."""

        async def read(connection: Connection) -> Preferences:
            return _preferences(customer_id, await connection.fetch(_FIND, customer_id))

        return await self._attempts.run(read, deadline)

    async def replace(
        self, customer_id: int, opted_out: tuple[OptOut, ...], operation: Operation[str], deadline: Deadline
    ) -> Preferences:
        """Replace a customer's opt-outs. Nothing changes where they are the same, or the key did it before.

        Raises: RuleRefused (key_reused), and as `Attempts.transact`.
        """

        async def work(connection: Connection) -> tuple[Preferences, bool, bool]:
            before = _preferences(customer_id, await connection.fetch(f"{_FIND} FOR UPDATE", customer_id))
            replayed = await take_key(connection, operation, str(customer_id), self._metrics)
            if replayed or (before.opted_out == opted_out and before.version > 0):
                return before, False, False
            texts = [str(one) for one in opted_out]
            rows = await connection.fetch(_REPLACE, customer_id, orjson.dumps(texts).decode())
            data = {"customer_id": customer_id, "opted_out": texts, "version": rows[0]["version"]}
            await add_event(connection, Event("preferences", str(customer_id), "preferences.changed", data))
            return _preferences(customer_id, rows), True, bool(set(opted_out) - set(before.opted_out))

        after, changed, opted_out_of_more = await self._attempts.transact(work, deadline)
        if changed:
            self._metrics.preference_updates.inc()
        if opted_out_of_more:
            self._metrics.opt_outs.inc()
        return after


def _preferences(customer_id: int, rows: Sequence[Row]) -> Preferences:
    if not rows:
        return Preferences(customer_id, (), 0, None)
    opted_out = tuple(OptOut.from_text(text) for text in orjson.loads(rows[0]["opted_out"]))
    return Preferences(customer_id, opted_out, rows[0]["version"], iso(rows[0]["updated_at"]))
