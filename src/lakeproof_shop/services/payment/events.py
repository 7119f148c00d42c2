"""The rows that every change leaves beside the payment: its event, its message for others, the caller's key.

All of them are part of one statement (`WITH changed AS (INSERT or UPDATE … RETURNING *) …`), so none can be left out.
"""

# The rest of a statement whose CTE `changed` holds the payment after the change. $1 type of the event, $2 amount that
# the change moved, $3 key, $4 digest, $5 event id, $6 trace id.
RECORD = """,
event AS (
    INSERT INTO payment_events (payment_id, version, type, amount, status, authorized, captured, refunded, at)
    SELECT id, version, $1::text, $2::numeric, status, authorized, captured, refunded, updated_at FROM changed
),
operation AS (
    INSERT INTO payment_operations (operation_key, payment_id, version, digest, at)
    SELECT $3::text, id, version, $4::bytea, updated_at FROM changed
),
message AS (
    INSERT INTO outbox (event_id, aggregate, aggregate_id, type, payload, trace_id, created_at)
    SELECT $5::uuid, 'payment', id::text, 'payment.' || $1::text,
           jsonb_build_object('payment_id', id, 'order_id', order_id, 'customer_id', customer_id, 'version', version,
                              'status', status, 'moved', $2::numeric(12,2)::text, 'amount', amount::text,
                              'authorized', authorized::text, 'captured', captured::text,
                              'refunded', refunded::text, 'decline_code', decline_code),
           $6::text, updated_at
    FROM changed
)
SELECT * FROM changed"""
# The answer that a key got: the payment at the version that its change made, as the event of that version tells it.
SELECT_ANSWER = """
SELECT o.digest, p.id, p.order_id, p.customer_id, e.status, p.amount, e.authorized, e.captured, e.refunded,
       p.decline_code, e.version, p.created_at, e.at AS updated_at
FROM payment_operations o
JOIN payments p ON p.id = o.payment_id
JOIN payment_events e ON e.payment_id = o.payment_id AND e.version = o.version
WHERE o.operation_key = $1"""
