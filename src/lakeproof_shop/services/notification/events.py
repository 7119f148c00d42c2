"""The message for other services that every change of a notification leaves in the outbox.

The message is part of the change's statement (`WITH changed AS (UPDATE or INSERT … RETURNING *) …`), so it cannot be
left out.
"""

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
