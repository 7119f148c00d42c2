-- Orders as they are now. One row per order; a deleted order has none.

CREATE TEMPORARY TABLE oltp_orders (
    id BIGINT,
    client_key STRING,
    customer_id BIGINT,
    status STRING,
    total DECIMAL(12, 2),
    item_count INT,
    version INT,
    created_at TIMESTAMP(6),
    updated_at TIMESTAMP(6),
    PRIMARY KEY (id) NOT ENFORCED
) WITH ('connector' = 'transaction-aligner', 'table' = 'oltp.orders');

CREATE TABLE IF NOT EXISTS orders (
    id BIGINT,
    client_key STRING,
    customer_id BIGINT,
    status STRING,
    total DECIMAL(12, 2),
    item_count INT,
    version INT,
    created_at TIMESTAMP(6),
    updated_at TIMESTAMP(6),
    PRIMARY KEY (id) NOT ENFORCED
) WITH (
    'bucket' = '2',
    'deletion-vectors.enabled' = 'true',
    'deletion-vectors.bitmap64' = 'true'
);

INSERT INTO orders
SELECT id, client_key, customer_id, status, total, item_count, version, created_at, updated_at
FROM oltp_orders;
