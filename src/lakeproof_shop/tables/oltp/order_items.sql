-- The lines of the orders as they are now.

CREATE TEMPORARY TABLE oltp_order_items (
    id BIGINT,
    order_id BIGINT,
    line INT,
    sku STRING,
    quantity INT,
    unit_price DECIMAL(12, 2),
    PRIMARY KEY (id) NOT ENFORCED
) WITH ('connector' = 'transaction-aligner', 'table' = 'oltp.order_items');

CREATE TABLE IF NOT EXISTS order_items (
    id BIGINT,
    order_id BIGINT,
    line INT,
    sku STRING,
    quantity INT,
    unit_price DECIMAL(12, 2),
    PRIMARY KEY (id) NOT ENFORCED
) WITH (
    'bucket' = '2',
    'deletion-vectors.enabled' = 'true',
    'deletion-vectors.bitmap64' = 'true'
);

INSERT INTO order_items
SELECT id, order_id, line, sku, quantity, unit_price
FROM oltp_order_items;
