-- The notification schema (PostgreSQL). Applied at every start: safe to repeat.
-- All times are written by the database's own clock. One statement ends with a semicolon at the end of a line.

-- `claim` and `due_at` belong together. A notification with a claim is being sent, and due_at is when that claim ends.
-- Without a claim, due_at is when the worker will send the notification, or NULL where it waits for a caller's /send.
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

-- By channel: where one channel has thousands that cannot be sent, the other channel's worker need not skip over them.
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

-- One row for each request that was carried out, by the caller's key. `digest` is the SHA-256 of the request.
CREATE TABLE IF NOT EXISTS notification_operations (
    operation_key text PRIMARY KEY,
    subject_id text NOT NULL,
    digest bytea NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Events of other services that were acted on already: Kafka delivers some of them twice.
CREATE TABLE IF NOT EXISTS consumed_events (
    event_id uuid PRIMARY KEY,
    source text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Why an event led to no notification: it could not be read, or has no recipient. NULL: a notification was made.
ALTER TABLE consumed_events ADD COLUMN IF NOT EXISTS dropped text NULL;

-- From when on events of a topic lead to notifications: those from before this service first read it do not.
CREATE TABLE IF NOT EXISTS reading_since (
    topic text PRIMARY KEY,
    at timestamptz NOT NULL
);

CREATE INDEX IF NOT EXISTS consumed_events_by_age ON consumed_events (at);
