"""Callers' keys. A key is noted in the same transaction as the change that it asks for, so that it acts once."""

from lakeproof_shop.services.notification.metrics import NotificationMetrics
from lakeproof_shop.serving.database.errors import MadeByAnother
from lakeproof_shop.serving.database.postgres import Connection
from lakeproof_shop.serving.operation import Operation

INSERT_OPERATION = "INSERT INTO notification_operations (operation_key, subject_id, digest) VALUES ($1, $2, $3)"
_NOTE = INSERT_OPERATION + " ON CONFLICT DO NOTHING RETURNING operation_key"
_SELECT = "SELECT subject_id, digest FROM notification_operations WHERE operation_key = $1"


async def take_key(
    connection: Connection, operation: Operation[str], subject: str, metrics: NotificationMetrics
) -> bool:
    """Note the key within the transaction. True: the key was noted before, for the same request.

    Raises: RuleRefused (key_reused).
    """
    if operation.key is None:
        return False
    if await connection.fetch(_NOTE, operation.key, subject, operation.digest):
        return False
    await subject_of(connection, operation)
    metrics.replays.inc()
    return True


async def subject_of(connection: Connection, operation: Operation[str]) -> str:
    """The id of the notification, batch or customer for which this operation's key was noted before.

    Raises: RuleRefused (key_reused), MadeByAnother where it was not.
    """
    done = await connection.fetch(_SELECT, operation.key)
    if not done:
        raise MadeByAnother("a unique key exists already that is not the caller's")
    operation.require_same(bytes(done[0]["digest"]))
    return str(done[0]["subject_id"])
