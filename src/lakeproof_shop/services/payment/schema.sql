-- The payment schema (PostgreSQL). Applied by postgres' provision at every start, after outbox.sql: safe to repeat.
-- Money is numeric(12,2); times are the database's own clock.

CREATE TABLE IF NOT EXISTS payments (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id bigint NOT NULL,
    customer_id bigint NOT NULL,
    -- of the card's token, which itself is not kept
    card_fingerprint text NOT NULL,
    status text NOT NULL,
    amount numeric(12,2) NOT NULL,
    authorized numeric(12,2) NOT NULL,
    captured numeric(12,2) NOT NULL,
    refunded numeric(12,2) NOT NULL,
    decline_code text NULL,
    version integer NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT amount_is_within_bounds CHECK (amount BETWEEN 0.01 AND 99999.99),
    CONSTRAINT never_more_than_before CHECK (0 <= refunded AND refunded <= captured AND captured <= authorized),
    CONSTRAINT authorized_all_or_nothing CHECK (authorized = CASE status WHEN 'declined' THEN 0 ELSE amount END),
    CONSTRAINT declined_for_a_reason CHECK ((status = 'declined') = (decline_code IS NOT NULL)),
    CONSTRAINT status_tells_the_amounts CHECK (CASE status
        WHEN 'declined' THEN captured = 0
        WHEN 'authorized' THEN captured = 0
        WHEN 'voided' THEN captured = 0
        WHEN 'captured' THEN captured > 0 AND refunded = 0
        WHEN 'partially_refunded' THEN 0 < refunded AND refunded < captured
        WHEN 'refunded' THEN captured > 0 AND refunded = captured
        ELSE false END)
);

-- Nobody pays twice for one order, whoever asks at the same time.
CREATE UNIQUE INDEX IF NOT EXISTS one_live_payment_per_order ON payments (order_id)
    WHERE status IN ('authorized', 'captured', 'partially_refunded');

CREATE INDEX IF NOT EXISTS payments_of_order ON payments (order_id, id);

-- Append-only: one row for each change of a payment, with the payment as it was after it.
CREATE TABLE IF NOT EXISTS payment_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payment_id bigint NOT NULL,
    version integer NOT NULL,
    type text NOT NULL,
    amount numeric(12,2) NOT NULL,
    status text NOT NULL,
    authorized numeric(12,2) NOT NULL,
    captured numeric(12,2) NOT NULL,
    refunded numeric(12,2) NOT NULL,
    at timestamptz NOT NULL,
    CONSTRAINT one_event_per_version UNIQUE (payment_id, version),
    CONSTRAINT type_is_known CHECK (type IN ('authorized', 'declined', 'captured', 'refunded', 'voided'))
);

CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$;

CREATE OR REPLACE TRIGGER events_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON payment_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What was already done under a caller's key, so that a retried call does not act twice; `digest` is the SHA-256 of the
-- request. What was answered is the payment's event of that version. Not captured.
CREATE TABLE IF NOT EXISTS payment_operations (
    operation_key text PRIMARY KEY,
    payment_id bigint NOT NULL,
    version integer NOT NULL,
    digest bytea NOT NULL,
    at timestamptz NOT NULL
);
