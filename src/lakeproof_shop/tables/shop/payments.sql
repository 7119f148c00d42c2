-- Payments as they are now. One row per payment; none is ever deleted.

CREATE TEMPORARY TABLE shop_payments (
    id BIGINT,
    order_id BIGINT,
    customer_id BIGINT,
    card_fingerprint STRING,
    status STRING,
    amount DECIMAL(12, 2),
    authorized DECIMAL(12, 2),
    captured DECIMAL(12, 2),
    refunded DECIMAL(12, 2),
    decline_code STRING,
    version INT,
    created_at TIMESTAMP(6),
    updated_at TIMESTAMP(6),
    PRIMARY KEY (id) NOT ENFORCED
) WITH ('connector' = 'transaction-aligner', 'table' = 'payment.payments');

CREATE TABLE IF NOT EXISTS payments (
    id BIGINT,
    order_id BIGINT,
    customer_id BIGINT,
    card_fingerprint STRING,
    status STRING,
    amount DECIMAL(12, 2),
    authorized DECIMAL(12, 2),
    captured DECIMAL(12, 2),
    refunded DECIMAL(12, 2),
    decline_code STRING,
    version INT,
    created_at TIMESTAMP(6),
    updated_at TIMESTAMP(6),
    PRIMARY KEY (id) NOT ENFORCED
) WITH (
    'bucket' = '2',
    'deletion-vectors.enabled' = 'true',
    'deletion-vectors.bitmap64' = 'true'
);

INSERT INTO payments
SELECT id, order_id, customer_id, card_fingerprint, status, amount, authorized, captured, refunded, decline_code,
    version, created_at, updated_at
FROM shop_payments;
