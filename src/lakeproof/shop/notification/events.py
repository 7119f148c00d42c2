"""The rows that every change leaves beside the notification: its message for others, the caller's key.

They are part of one statement (`WITH changed AS (UPDATE or INSERT … RETURNING *) …`), so none can be left out.
"""

import hashlib
import uuid
from dataclasses import dataclass

# A part of a statement whose CTE `changed` holds the notification after the change.
RECORD_CHANGE = """,
message AS (
    INSERT INTO outbox (event_id, aggregate, aggregate_id, type, payload, trace_id)
    SELECT gen_random_uuid(), 'notification', id::text, {type},
           jsonb_build_object('notification_id', id, 'customer_id', customer_id, 'channel', channel, 'topic', topic,
                              'status', status, 'reason', reason, 'attempts', attempts, 'version', version,
                              'batch_id', batch_id, 'sent_at', sent_at),
           trace_id
    FROM changed
)"""
INSERT_OPERATION = "INSERT INTO notification_operations (operation_key, subject_id, digest) VALUES ($1, $2, $3)"
NOTE_OPERATION = INSERT_OPERATION + " ON CONFLICT DO NOTHING RETURNING operation_key"
SELECT_OPERATION = "SELECT subject_id, digest FROM notification_operations WHERE operation_key = $1"


@dataclass(frozen=True, slots=True)
class Operation:
    """What a caller asks for, under a key where there is one. `digest` is the SHA-256 of all that it asks."""

    key: str | None
    digest: bytes


def operation(what: str, key: str | None, subject: uuid.UUID | int | None, body: str = "") -> Operation:
    """The operation `what` on a notification or customer (None: something new) with its body in canonical text."""
    return Operation(key, hashlib.sha256(f"{what}|{subject or 'new'}|{body}".encode()).digest())
