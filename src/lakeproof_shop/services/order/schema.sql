-- The order database. Applied by mysql's provision as root, at every start: safe to repeat.
-- All times are UTC with microseconds, written by the database's own clock (UTC_TIMESTAMP(6)).
-- The service's user needs SELECT, INSERT, UPDATE, DELETE on orders, order_items, order_events, order_operations.
-- One statement ends with a semicolon at the end of a line; no semicolon stands anywhere else.

CREATE DATABASE IF NOT EXISTS oltp CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS oltp.orders (
    id BIGINT NOT NULL AUTO_INCREMENT,
    client_key VARCHAR(64) NOT NULL,
    customer_id BIGINT NOT NULL,
    status VARCHAR(16) NOT NULL,
    total DECIMAL(12,2) NOT NULL,
    item_count INT NOT NULL,
    version INT NOT NULL,
    created_at DATETIME(6) NOT NULL,
    updated_at DATETIME(6) NOT NULL,
    PRIMARY KEY (id),
    UNIQUE KEY one_order_per_client_key (client_key),
    CONSTRAINT total_is_positive CHECK (total > 0),
    CONSTRAINT status_is_known CHECK (status IN ('created', 'paid', 'cancelled', 'returned'))
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS oltp.order_items (
    id BIGINT NOT NULL AUTO_INCREMENT,
    order_id BIGINT NOT NULL,
    line INT NOT NULL,
    sku VARCHAR(32) NOT NULL,
    quantity INT NOT NULL,
    unit_price DECIMAL(12,2) NOT NULL,
    PRIMARY KEY (id),
    KEY items_of_order (order_id, line),
    CONSTRAINT quantity_is_positive CHECK (quantity > 0),
    CONSTRAINT unit_price_is_positive CHECK (unit_price > 0)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Append-only: one row for each change of an order, also for its deletion.
CREATE TABLE IF NOT EXISTS oltp.order_events (
    id BIGINT NOT NULL AUTO_INCREMENT,
    order_id BIGINT NOT NULL,
    version INT NOT NULL,
    type VARCHAR(16) NOT NULL,
    at DATETIME(6) NOT NULL,
    PRIMARY KEY (id),
    UNIQUE KEY one_event_per_version (order_id, version)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- What was already done under a caller's key, so that a retried call does not act twice. Not captured.
-- `digest` is the SHA-256 of the request: the same key with another request is refused.
-- It outlives its order: a late retry of a create must not bring a deleted order back.
CREATE TABLE IF NOT EXISTS oltp.order_operations (
    operation_key VARCHAR(64) NOT NULL,
    order_id BIGINT NOT NULL,
    version INT NOT NULL,
    digest BINARY(32) NOT NULL,
    at DATETIME(6) NOT NULL,
    PRIMARY KEY (operation_key)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- One row, id = 1: UNIX time in microseconds by the database's clock, written each second by the ticker.
CREATE TABLE IF NOT EXISTS oltp.cdc_heartbeat (
    id INT NOT NULL,
    beat_us BIGINT NOT NULL,
    PRIMARY KEY (id)
) ENGINE=InnoDB;

INSERT IGNORE INTO oltp.cdc_heartbeat (id, beat_us) VALUES (1, 0);
