-- The notification schema (PostgreSQL). Applied at every start: safe to repeat.
-- All times are written by the database's own clock. One statement ends with a semicolon at the end of a line.

-- `claim` and `due_at` belong together. With a claim, somebody is sending it, and due_at is the end of that lease.
-- Without one, due_at is when the worker sends it by itself, and NULL where it waits for a caller's /send.
CREATE TABLE IF NOT EXISTS notifications (
    id uuid PRIMARY KEY,
    customer_id bigint NOT NULL,
    channel text NOT NULL CONSTRAINT channel_is_known CHECK (channel IN ('email', 'webhook')),
    recipient text NOT NULL,
    subject text NOT NULL,
    body text NOT NULL,
    topic text NOT NULL,
    batch_id uuid NULL,
    status text NOT NULL CONSTRAINT status_is_known CHECK (status IN ('pending', 'sent', 'failed', 'dropped')),
    reason text NULL,
    attempts integer NOT NULL DEFAULT 0,
    version integer NOT NULL DEFAULT 1,
    claim uuid NULL,
    due_at timestamptz NULL,
    trace_id text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    sent_at timestamptz NULL,
    CONSTRAINT a_claim_ends CHECK (claim IS NULL OR due_at IS NOT NULL),
    CONSTRAINT sent_has_its_time CHECK ((status = 'sent') = (sent_at IS NOT NULL)),
    CONSTRAINT what_is_done_is_not_due CHECK (status IN ('pending', 'failed') OR (claim IS NULL AND due_at IS NULL))
);

-- By channel: what one of them cannot send may lie there by the thousand, and the other's worker passes over none of it.
CREATE INDEX IF NOT EXISTS notifications_due_by_channel ON notifications (channel, due_at) WHERE due_at IS NOT NULL;

DROP INDEX IF EXISTS notifications_due;

CREATE INDEX IF NOT EXISTS notifications_of_batch ON notifications (batch_id) WHERE batch_id IS NOT NULL;

-- What a customer does not want: a list of "TOPIC/CHANNEL", in which either may be "*".
CREATE TABLE IF NOT EXISTS preferences (
    customer_id bigint PRIMARY KEY,
    opted_out jsonb NOT NULL,
    version integer NOT NULL,
    updated_at timestamptz NOT NULL
);

-- What was already done under a caller's key; `digest` is the SHA-256 of the request.
CREATE TABLE IF NOT EXISTS notification_operations (
    operation_key text PRIMARY KEY,
    subject_id text NOT NULL,
    digest bytea NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Other services' events that were acted on: Kafka gives some of them twice.
CREATE TABLE IF NOT EXISTS consumed_events (
    event_id uuid PRIMARY KEY,
    source text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Why nobody was told of one: it could not be read, or nobody is there to be told. NULL: a notification was made.
ALTER TABLE consumed_events ADD COLUMN IF NOT EXISTS dropped text NULL;

-- From when on a topic's events are told: what came before this service first read it, is told to nobody.
CREATE TABLE IF NOT EXISTS reading_since (
    topic text PRIMARY KEY,
    at timestamptz NOT NULL
);

CREATE INDEX IF NOT EXISTS consumed_events_by_age ON consumed_events (at);
