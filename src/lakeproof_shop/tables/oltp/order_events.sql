-- What happened to the orders, append-only. No primary key on purpose: a second row of the same event must be seen.

CREATE TEMPORARY TABLE oltp_order_events (
    id BIGINT,
    order_id BIGINT,
    version INT,
    `type` STRING,
    `at` TIMESTAMP(6)
) WITH ('connector' = 'transaction-aligner', 'table' = 'oltp.order_events', 'mode' = 'append');

CREATE TABLE IF NOT EXISTS order_events (
    id BIGINT,
    order_id BIGINT,
    version INT,
    `type` STRING,
    `at` TIMESTAMP(6)
) WITH ('bucket' = '-1');

INSERT INTO order_events
SELECT id, order_id, version, `type`, `at`
FROM oltp_order_events;
