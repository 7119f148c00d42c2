-- The events of a service that still have to be sent to Kafka, and those that were; the same in every schema of the
-- shop (services/outbox.py). Applied before the service's own schema.sql at every start: safe to repeat.

CREATE TABLE IF NOT EXISTS outbox (
    id bigserial PRIMARY KEY,
    event_id uuid NOT NULL CONSTRAINT one_row_per_event UNIQUE,
    aggregate text NOT NULL,
    aggregate_id text NOT NULL,
    type text NOT NULL,
    payload jsonb NOT NULL,
    trace_id text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    sent_at timestamptz NULL
);

CREATE INDEX IF NOT EXISTS outbox_unsent ON outbox (id) WHERE sent_at IS NULL;

CREATE INDEX IF NOT EXISTS outbox_by_age ON outbox (sent_at) WHERE sent_at IS NOT NULL;
