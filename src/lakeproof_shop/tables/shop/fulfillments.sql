-- Parcels as they are now, with the worker's own columns. JSON (address, items) comes as PostgreSQL writes it.

CREATE TEMPORARY TABLE shop_fulfillments (
    id BIGINT,
    order_id BIGINT,
    status STRING,
    version INT,
    address STRING,
    items STRING,
    label_bytes INT,
    hold_until TIMESTAMP(6),
    hold_version INT,
    requested_at TIMESTAMP(6),
    updated_at TIMESTAMP(6),
    shipped_at TIMESTAMP(6),
    trace_id STRING,
    has_work BOOLEAN,
    due_at TIMESTAMP(6),
    lease_owner STRING,
    lease_until TIMESTAMP(6),
    attempts INT,
    problem STRING,
    PRIMARY KEY (id) NOT ENFORCED
) WITH ('connector' = 'transaction-aligner', 'table' = 'fulfillment.fulfillments');

CREATE TABLE IF NOT EXISTS fulfillments (
    id BIGINT,
    order_id BIGINT,
    status STRING,
    version INT,
    address STRING,
    items STRING,
    label_bytes INT,
    hold_until TIMESTAMP(6),
    hold_version INT,
    requested_at TIMESTAMP(6),
    updated_at TIMESTAMP(6),
    shipped_at TIMESTAMP(6),
    trace_id STRING,
    has_work BOOLEAN,
    due_at TIMESTAMP(6),
    lease_owner STRING,
    lease_until TIMESTAMP(6),
    attempts INT,
    problem STRING,
    PRIMARY KEY (id) NOT ENFORCED
) WITH (
    'bucket' = '2',
    'deletion-vectors.enabled' = 'true',
    'deletion-vectors.bitmap64' = 'true'
);

INSERT INTO fulfillments
SELECT id, order_id, status, version, address, items, label_bytes, hold_until, hold_version, requested_at,
    updated_at, shipped_at, trace_id, has_work, due_at, lease_owner, lease_until, attempts, problem
FROM shop_fulfillments;
