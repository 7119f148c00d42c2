"""The rows that every change leaves beside the fulfillment: its event, its message for others, the caller's key.

All of them are part of one statement (`WITH changed AS (UPDATE or INSERT … RETURNING *) …`), so none can be left out.
"""

# Parts of a statement whose CTE `changed` holds the fulfillment after the change. {type}: the event's type, as an SQL
# expression. {trace}: the trace id, as a parameter or column.
RECORD_CHANGE = """,
event AS (
    INSERT INTO fulfillment_events (fulfillment_id, version, type, at)
    SELECT id, version, {type}, updated_at FROM changed
),
message AS (
    INSERT INTO outbox (event_id, aggregate, aggregate_id, type, payload, trace_id, created_at)
    SELECT gen_random_uuid(), 'fulfillment', id::text, 'status.' || {type},
           jsonb_build_object('fulfillment_id', id, 'order_id', order_id, 'status', status, 'version', version,
                              'hold_until', hold_until, 'shipped_at', shipped_at),
           {trace}, updated_at
    FROM changed
)"""
RECORD_OPERATION = """,
operation AS (
    INSERT INTO fulfillment_operations (operation_key, fulfillment_id, version, digest, at, hold_until)
    SELECT {key}, id, version, {digest}, updated_at, hold_until FROM changed
)"""
SELECT_OPERATION = "SELECT fulfillment_id, version, digest FROM fulfillment_operations WHERE operation_key = $1"
