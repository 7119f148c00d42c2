-- What happened to the payments, append-only. No primary key on purpose: a second row of the same event must be
-- seen.

CREATE TEMPORARY TABLE shop_payment_events (
    id BIGINT,
    payment_id BIGINT,
    version INT,
    `type` STRING,
    amount DECIMAL(12, 2),
    status STRING,
    authorized DECIMAL(12, 2),
    captured DECIMAL(12, 2),
    refunded DECIMAL(12, 2),
    `at` TIMESTAMP(6)
) WITH ('connector' = 'transaction-aligner', 'table' = 'payment.payment_events', 'mode' = 'append');

CREATE TABLE IF NOT EXISTS payment_events (
    id BIGINT,
    payment_id BIGINT,
    version INT,
    `type` STRING,
    amount DECIMAL(12, 2),
    status STRING,
    authorized DECIMAL(12, 2),
    captured DECIMAL(12, 2),
    refunded DECIMAL(12, 2),
    `at` TIMESTAMP(6)
) WITH ('bucket' = '-1');

INSERT INTO payment_events
SELECT id, payment_id, version, `type`, amount, status, authorized, captured, refunded, `at`
FROM shop_payment_events;
