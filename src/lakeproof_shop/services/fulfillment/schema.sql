-- The fulfillment schema (PostgreSQL). Applied at every start: safe to repeat.
-- All times are written by the database's own clock. One statement ends with a semicolon at the end of a line.

CREATE TABLE IF NOT EXISTS fulfillments (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id bigint NOT NULL,
    status text NOT NULL CONSTRAINT status_is_known
        CHECK (status IN ('requested', 'label_pending', 'label_ready', 'shipped', 'returned', 'cancelled')),
    version integer NOT NULL,
    address jsonb NOT NULL,
    items jsonb NOT NULL,
    label_bytes integer NOT NULL,
    -- hold_version goes up with each hold: a label whose metadata carry an older one is written anew
    hold_until timestamptz NULL,
    hold_version integer NOT NULL DEFAULT 0,
    requested_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    shipped_at timestamptz NULL,
    trace_id text NOT NULL,
    -- for the worker: whether there is work, from when on, who holds it and until when, and what went wrong last
    has_work boolean NOT NULL DEFAULT true,
    due_at timestamptz NOT NULL,
    lease_owner text NULL,
    lease_until timestamptz NULL,
    attempts integer NOT NULL DEFAULT 0,
    problem text NULL,
    CONSTRAINT shipped_has_its_time CHECK (status NOT IN ('shipped', 'returned') OR shipped_at IS NOT NULL)
);

CREATE INDEX IF NOT EXISTS fulfillments_of_order ON fulfillments (order_id);

CREATE INDEX IF NOT EXISTS fulfillments_with_work ON fulfillments (due_at) WHERE has_work;

CREATE INDEX IF NOT EXISTS fulfillments_in_backlog ON fulfillments (requested_at)
    WHERE status IN ('requested', 'label_pending', 'label_ready');

-- Append-only: one row for each change. "Shipped once" is this unique key.
CREATE TABLE IF NOT EXISTS fulfillment_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    fulfillment_id bigint NOT NULL,
    version integer NOT NULL,
    type text NOT NULL,
    at timestamptz NOT NULL,
    CONSTRAINT one_event_per_version UNIQUE (fulfillment_id, version)
);

CREATE UNIQUE INDEX IF NOT EXISTS shipped_once ON fulfillment_events (fulfillment_id) WHERE type = 'shipped';

-- What was already done under a caller's key; `digest` is the SHA-256 of the request.
CREATE TABLE IF NOT EXISTS fulfillment_operations (
    operation_key text PRIMARY KEY,
    fulfillment_id bigint NOT NULL,
    version integer NOT NULL,
    digest bytea NOT NULL,
    at timestamptz NOT NULL
);

-- The hold after this operation. That of version 1 came with the order, and no later operation changes that row.
ALTER TABLE fulfillment_operations ADD COLUMN IF NOT EXISTS hold_until timestamptz NULL;

CREATE INDEX IF NOT EXISTS fulfillments_kept_for_buyers ON fulfillment_operations (fulfillment_id)
    WHERE version = 1 AND hold_until IS NOT NULL;
