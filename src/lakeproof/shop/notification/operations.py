"""What a caller asks for under a key: noted in the same transaction as what it changes, so that it acts once."""

import hashlib
import uuid
from dataclasses import dataclass

from lakeproof.services.database.errors import DatabaseRefused
from lakeproof.services.database.postgres import Connection
from lakeproof.shop.notification.metrics import NotificationMetrics
from lakeproof.shop.notification.models import NotificationRefused

INSERT_OPERATION = "INSERT INTO notification_operations (operation_key, subject_id, digest) VALUES ($1, $2, $3)"
_NOTE = INSERT_OPERATION + " ON CONFLICT DO NOTHING RETURNING operation_key"
_SELECT = "SELECT subject_id, digest FROM notification_operations WHERE operation_key = $1"


@dataclass(frozen=True, slots=True)
class Operation:
    """What a caller asks for, under a key where there is one. `digest` is the SHA-256 of all that it asks."""

    key: str | None
    digest: bytes


def operation(what: str, key: str | None, subject: uuid.UUID | int | None, body: str = "") -> Operation:
    """The operation `what` on a notification or customer (None: something new) with its body in canonical text."""
    return Operation(key, hashlib.sha256(f"{what}|{subject or 'new'}|{body}".encode()).digest())


async def take_key(connection: Connection, operation: Operation, subject: str, metrics: NotificationMetrics) -> bool:
    """Note the key within the transaction. True: it was noted before, for the same.

    Raises: NotificationRefused (key_reused).
    """
    if operation.key is None:
        return False
    if await connection.fetch(_NOTE, operation.key, subject, operation.digest):
        return False
    await subject_of(connection, operation)
    metrics.replays.inc()
    return True


async def subject_of(connection: Connection, operation: Operation) -> str:
    """The id of what this operation made or changed before. Raises: NotificationRefused (key_reused)."""
    done = await connection.fetch(_SELECT, operation.key)
    if not done:
        raise DatabaseRefused("a unique key exists already that is not the caller's")
    if bytes(done[0]["digest"]) != operation.digest:
        raise NotificationRefused("key_reused", f"the key {operation.key} was used for another request")
    return str(done[0]["subject_id"])
