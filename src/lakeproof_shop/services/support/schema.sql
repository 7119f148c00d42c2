-- The support schema (PostgreSQL). Applied by postgres' provision at every start, after outbox.sql: safe to repeat.
-- All times are written by the database's own clock.

CREATE TABLE IF NOT EXISTS cases (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL,
    order_id bigint NULL,
    subject text NOT NULL,
    status text NOT NULL CONSTRAINT status_is_known CHECK (status IN ('open', 'closed')),
    version integer NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE INDEX IF NOT EXISTS cases_of_order ON cases (order_id) WHERE order_id IS NOT NULL;

-- Append-only: one row for each change of a case.
CREATE TABLE IF NOT EXISTS case_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    case_id bigint NOT NULL,
    version integer NOT NULL,
    type text NOT NULL,
    at timestamptz NOT NULL,
    CONSTRAINT one_event_per_version UNIQUE (case_id, version)
);

CREATE TABLE IF NOT EXISTS case_messages (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    case_id bigint NOT NULL,
    author text NOT NULL CONSTRAINT author_is_known CHECK (author IN ('customer', 'agent')),
    body text NOT NULL,
    at timestamptz NOT NULL
);

CREATE INDEX IF NOT EXISTS messages_of_case ON case_messages (case_id, id);

-- `file` names the bytes: in the attachments' folder while place is local, in the archive's bucket afterwards.
-- `name` is what the caller called it: shown, and never a part of a path.
CREATE TABLE IF NOT EXISTS case_attachments (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    case_id bigint NOT NULL,
    name text NOT NULL,
    content_type text NOT NULL,
    size bigint NOT NULL,
    sha256 text NOT NULL,
    file uuid NOT NULL CONSTRAINT one_row_per_file UNIQUE,
    place text NOT NULL CONSTRAINT place_is_known CHECK (place IN ('local', 'archive')),
    created_at timestamptz NOT NULL,
    archived_at timestamptz NULL
);

CREATE INDEX IF NOT EXISTS attachments_of_case ON case_attachments (case_id, id);

CREATE INDEX IF NOT EXISTS attachments_to_offload ON case_attachments (created_at) WHERE place = 'local';

-- What was already done under a caller's key; `digest` is the SHA-256 of the request; `made` the id of what it made.
CREATE TABLE IF NOT EXISTS case_operations (
    operation_key text PRIMARY KEY,
    case_id bigint NOT NULL,
    made bigint NULL,
    digest bytea NOT NULL,
    at timestamptz NOT NULL
);
