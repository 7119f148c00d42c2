"""The rows that every change leaves beside the case: its event, its message for others, the caller's key.

All of them are part of one statement (`WITH changed AS (…)`), so none can be left out.
"""

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
