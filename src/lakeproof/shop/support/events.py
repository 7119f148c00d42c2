"""The rows that every change leaves beside the case: its event, its message for others, the caller's key.

All of them are part of one statement (`WITH changed AS (…)`), so none can be left out.
"""

import hashlib
from dataclasses import dataclass

from lakeproof.shop.support.models import Op

# `changed` holds the case after the change. {type}, {trace}, {key}, {digest}, {made}: SQL expressions.
RECORD = """,
event AS (
    INSERT INTO case_events (case_id, version, type, at)
    SELECT id, version, {type}, updated_at FROM changed
),
message_out AS (
    INSERT INTO outbox (event_id, aggregate, aggregate_id, type, payload, trace_id)
    SELECT gen_random_uuid(), 'case', id::text, 'case.' || {type},
           jsonb_build_object('case_id', id, 'order_id', order_id, 'customer_id', customer_id, 'status', status,
                              'version', version, 'subject', subject),
           {trace}
    FROM changed
),
operation AS (
    INSERT INTO case_operations (operation_key, case_id, made, digest, at)
    SELECT {key}, id, {made}, {digest}, updated_at FROM changed
)"""
SELECT_OPERATION = "SELECT case_id, made, digest FROM case_operations WHERE operation_key = $1"


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that a caller asks for under a key. `digest` is the SHA-256 of all that it asks."""

    op: Op
    key: str
    digest: bytes


def operation(op: Op, key: str, case_id: int | None, body: str = "") -> Operation:
    """The operation `op` on a case (None: a new one) with its body in canonical text."""
    return Operation(op, key, hashlib.sha256(f"{op}|{case_id or 'new'}|{body}".encode()).digest())
