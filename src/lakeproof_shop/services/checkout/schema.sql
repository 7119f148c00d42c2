-- Checkouts, those under way and those that ended. They lie in the order database, so that a checkout and its order
-- depend on one server.
-- Applied by mysql's provision as root, at every start: safe to repeat. Not captured.
-- The service's user needs SELECT, INSERT, UPDATE on it.
-- `asked_at`: when a customer last asked to cancel or return what was bought. `step`: what is to be done next.
-- `owner` is the process that works on the checkout, and holds it until `held_until` by this server's clock.

CREATE TABLE IF NOT EXISTS oltp.checkouts (
    checkout_key VARCHAR(48) NOT NULL,
    digest BINARY(32) NOT NULL,
    request TEXT NOT NULL,
    step VARCHAR(12) NOT NULL,
    reservation_id VARCHAR(40) NULL,
    order_id BIGINT NULL,
    payment_id BIGINT NULL,
    fulfillment_id BIGINT NULL,
    sold BOOLEAN NOT NULL,
    refusal_code VARCHAR(40) NULL,
    refusal_text VARCHAR(300) NULL,
    attempts INT NOT NULL,
    trace_id VARCHAR(64) NOT NULL,
    owner VARCHAR(32) NOT NULL,
    held_until DATETIME(6) NOT NULL,
    is_open BOOLEAN NOT NULL,
    created_at DATETIME(6) NOT NULL,
    updated_at DATETIME(6) NOT NULL,
    asked_at DATETIME(6) NULL,
    PRIMARY KEY (checkout_key),
    KEY open_by_time (is_open, held_until)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
